package readiness

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// DefaultResponse is the text that is added to a room's replies.
const DefaultResponse = "The room's video system can join this meeting by its Join button."

// ScriptOptions are the names that an administrator's scripts are made for.
type ScriptOptions struct {
	// AppID is the application (client) ID of the Microsoft 365 application,
	// and ObjectID the object ID of its service principal (enterprise
	// application), which RBAC for Applications needs.
	AppID, ObjectID string
	// Group is the address of the mail-enabled security group of the rooms, and
	// GroupName its display name. Default of the name: "One-Touch Join rooms".
	Group, GroupName string
	// Mailboxes are the rooms' addresses.
	Mailboxes []string
	// Response is added to the rooms' replies. Default: DefaultResponse.
	Response string
	// HideDetails is what others may see of the rooms' calendars: empty leaves it
	// as it is, or "AvailabilityOnly" or "LimitedDetails".
	HideDetails string
	// External lets forwarded invites from outside in, with a transport rule
	// that keeps people outside from inviting the rooms themselves.
	External bool
}

// Scripts are PowerShell scripts for Exchange Online. Each can be run again
// without harm.
type Scripts struct {
	// Group makes the security group and puts the rooms into it.
	Group string
	// AccessPolicy limits the application to the group by an application access
	// policy, and RBAC does so by RBAC for Applications, which has replaced it.
	// One of them is enough.
	AccessPolicy, RBAC string
	// Rooms sets how the rooms process invites.
	Rooms string
	// Check prints what the rooms are set to, as ParseReport reads it.
	Check string
}

// ScriptFile is a script as a file.
type ScriptFile struct {
	// Name is the name of the file; Title says what the script does.
	Name, Title string
	// Text begins with a byte order mark, without which Windows PowerShell would
	// take UTF-8 for something else.
	Text string
}

// Files are the scripts as files, in the order in which they are run.
func (s Scripts) Files() []ScriptFile {
	const mark = "\ufeff"
	return []ScriptFile{
		{"otj-1-group.ps1", "Make the security group of the rooms", mark + s.Group},
		{"otj-2-rbac.ps1", "Let the application read these rooms only (RBAC for Applications)", mark + s.RBAC},
		{"otj-2-access-policy.ps1", "The same in the older way (application access policy); one of the two is enough", mark + s.AccessPolicy},
		{"otj-3-rooms.ps1", "Set how the rooms process invites", mark + s.Rooms},
		{"otj-4-check.ps1", "Check what the rooms are set to, and write the report", mark + s.Check},
	}
}

// NewScripts makes the scripts. The error joins one for each value that cannot
// be in a script.
func NewScripts(o ScriptOptions) (Scripts, error) {
	var errs []error
	guid := func(name, v string) {
		if !isGUID(v) {
			errs = append(errs, fmt.Errorf("%s is %.60q; it is a GUID such as 00000000-0000-0000-0000-000000000000", name, v))
		}
	}
	address := func(name, v string) {
		if a, err := mail.ParseAddress(v); err != nil || a.Address != v || !printable(v) {
			errs = append(errs, fmt.Errorf("%s: %.60q is not an e-mail address", name, v))
		}
	}
	guid("the application ID", o.AppID)
	if o.ObjectID != "" {
		guid("the object ID", o.ObjectID)
	}
	address("the group", o.Group)
	for _, m := range o.Mailboxes {
		address("a mailbox", m)
	}
	if o.GroupName == "" {
		o.GroupName = "One-Touch Join rooms"
	}
	if o.Response == "" {
		o.Response = DefaultResponse
	}
	for name, v := range map[string]string{"the name of the group": o.GroupName, "the response": o.Response} {
		if !printable(v) || len(v) > 1024 {
			errs = append(errs, fmt.Errorf("%s has more than 1024 bytes or characters that do not print", name))
		}
	}
	if o.HideDetails != "" && o.HideDetails != "AvailabilityOnly" && o.HideDetails != "LimitedDetails" {
		errs = append(errs, fmt.Errorf("what others may see is %.40q; it is AvailabilityOnly or LimitedDetails", o.HideDetails))
	}
	if err := errors.Join(errs...); err != nil {
		return Scripts{}, err
	}
	return Scripts{groupScript(o), policyScript(o), rbacScript(o), roomsScript(o), checkScript(o)}, nil
}

const connect = `# Run this in Exchange Online PowerShell, signed in as an Exchange administrator:
#   Install-Module ExchangeOnlineManagement; Connect-ExchangeOnline
$ErrorActionPreference = 'Stop'
`

func groupScript(o ScriptOptions) string {
	alias, _, _ := strings.Cut(o.Group, "@")
	return connect + `
# The mail-enabled security group of the rooms. The application is limited to its members.
$group = ` + Quote(o.Group) + `
if (-not (Get-DistributionGroup -Identity $group -ErrorAction SilentlyContinue)) {
    New-DistributionGroup -Name ` + Quote(o.GroupName) + ` -Alias ` + Quote(alias) + ` -PrimarySmtpAddress $group -Type Security | Out-Null
}
` + groupMailboxes(o) + `
$members = @(Get-DistributionGroupMember -Identity $group -ResultSize Unlimited | ForEach-Object { $_.PrimarySmtpAddress })
foreach ($mailbox in $mailboxes) {
    if ($members -notcontains $mailbox) {
        Add-DistributionGroupMember -Identity $group -Member $mailbox
        Write-Host "Added $mailbox"
    }
}
`
}

func policyScript(o ScriptOptions) string {
	return connect + `
# The application may read the calendars of the group's members, and no others.
# A change can take more than an hour to work.
$existing = @(Get-ApplicationAccessPolicy -ErrorAction SilentlyContinue | Where-Object { $_.AppId -eq ` + Quote(o.AppID) + ` })
if ($existing.Count -eq 0) {
    New-ApplicationAccessPolicy -AppId ` + Quote(o.AppID) + ` -PolicyScopeGroupId ` + Quote(o.Group) + ` -AccessRight RestrictAccess -Description 'One-Touch Join: calendars of the rooms only'
}
` + mailboxList(o) + `
foreach ($mailbox in $mailboxes) {
    Test-ApplicationAccessPolicy -Identity $mailbox -AppId ` + Quote(o.AppID) + ` | Select-Object -Property @('Mailbox', 'AccessCheckResult')
}
`
}

func rbacScript(o ScriptOptions) string {
	object := Quote(o.ObjectID)
	if o.ObjectID == "" {
		object = "''  # the object ID of the enterprise application: Microsoft Entra admin center, Enterprise applications"
	}
	return connect + `
# RBAC for Applications: the application may read the calendars of the group's members.
# Rights add up. As long as the application also has the permission Calendars.Read in
# Microsoft Entra, it reads every calendar, and this limits nothing: remove that consent.
$appId = ` + Quote(o.AppID) + `
$objectId = ` + object + `
if (-not $objectId) { throw 'Set $objectId first.' }
if (-not (Get-ServicePrincipal -Identity $objectId -ErrorAction SilentlyContinue)) {
    New-ServicePrincipal -AppId $appId -ObjectId $objectId -DisplayName 'One-Touch Join' | Out-Null
}
$group = Get-DistributionGroup -Identity ` + Quote(o.Group) + `
if (-not (Get-ManagementScope -Identity 'One-Touch Join rooms' -ErrorAction SilentlyContinue)) {
    New-ManagementScope -Name 'One-Touch Join rooms' -RecipientRestrictionFilter "MemberOfGroup -eq '$($group.DistinguishedName -replace "'", "''")'" | Out-Null
}
if (-not (Get-ManagementRoleAssignment -RoleAssignee $objectId -Role 'Application Calendars.Read' -ErrorAction SilentlyContinue)) {
    New-ManagementRoleAssignment -App $objectId -Role 'Application Calendars.Read' -CustomResourceScope 'One-Touch Join rooms' | Out-Null
}
` + mailboxList(o) + `
foreach ($mailbox in $mailboxes) {
    Test-ServicePrincipalAuthorization -Identity $objectId -Resource $mailbox | Select-Object -Property @('RoleName', 'GrantedPermissions', 'AllowedResourceScope', 'InScope')
}
`
}

func roomsScript(o ScriptOptions) string {
	var b strings.Builder
	b.WriteString(connect + `
# How the rooms process invites. It works for invites that come from now on.
` + mailboxList(o) + `
foreach ($mailbox in $mailboxes) {
    Set-CalendarProcessing -Identity $mailbox ` + "`" + `
        -DeleteComments $false -DeleteSubject $false -AddOrganizerToSubject $false -RemovePrivateProperty $false ` + "`" + `
        -AutomateProcessing AutoAccept -AddAdditionalResponse $true -AdditionalResponse ` + Quote(o.Response) + `
`)
	if o.External {
		b.WriteString("    Set-CalendarProcessing -Identity $mailbox -ProcessExternalMeetingMessages $true\n")
	}
	if o.HideDetails != "" {
		b.WriteString(`    # The folder has the name of the mailbox's language.
    $folder = (Get-MailboxFolderStatistics -Identity $mailbox -FolderScope Calendar | Where-Object { $_.FolderType -eq 'Calendar' } | Select-Object -First 1).Name
    Set-MailboxFolderPermission -Identity "${mailbox}:\$folder" -User Default -AccessRights ` + o.HideDetails + "\n")
	}
	b.WriteString("    Write-Host \"Set $mailbox\"\n}\n")
	if o.External {
		b.WriteString(transportRule(o))
	}
	return b.String()
}

// transportRule keeps people outside from inviting the rooms themselves. An
// invite that somebody inside forwards still has the organizer outside in its
// From header, and FromScope looks at that header. What tells the two apart is
// that Exchange marks what its own users send, in a header that it takes off mail
// from outside.
func transportRule(o ScriptOptions) string {
	return `
# People outside cannot invite the rooms themselves; people inside can forward their invites.
$rule = @{
    FromScope                              = 'NotInOrganization'
    SentToMemberOf                         = ` + Quote(o.Group) + `
    ExceptIfHeaderContainsMessageHeader    = 'X-MS-Exchange-Organization-AuthAs'
    ExceptIfHeaderContainsWords            = 'Internal'
    RejectMessageReasonText                = 'This room takes invites from inside the organization only.'
}
$name = 'One-Touch Join: no direct invites from outside'
if (Get-TransportRule -Identity $name -ErrorAction SilentlyContinue) {
    Set-TransportRule -Identity $name @rule
} else {
    New-TransportRule -Name $name @rule | Out-Null
}
`
}

func checkScript(o ScriptOptions) string {
	return connect + `
# Says what is wrong with each room, and writes what the rooms are set to into
# otj-rooms.json and otj-rooms.csv. Either is read by: otj doctor --import otj-rooms.json
$problems = [ordered]@{
    'delete the text of invites'        = @()
    'delete the subject'                = @()
    'add the organizer to the subject'  = @()
    'clear the private flag'            = @()
    'do not accept by themselves'       = @()
    'cannot be read'                    = @()
}
$external = @()
$report = foreach ($member in Get-DistributionGroupMember -Identity ` + Quote(o.Group) + ` -ResultSize Unlimited) {
    $room = "$($member.PrimarySmtpAddress)"
    Write-Host "Room $room"
    try {
        $p = Get-CalendarProcessing -Identity $room
    } catch {
        Write-Warning "${room}: $_"
        $problems['cannot be read'] += $room
        [pscustomobject]@{
            PrimarySmtpAddress = $room; DisplayName = "$($member.DisplayName)"; RecipientTypeDetails = "$($member.RecipientTypeDetails)"
            DeleteComments = $null; DeleteSubject = $null; AddOrganizerToSubject = $null; RemovePrivateProperty = $null
            ProcessExternalMeetingMessages = $null; AddAdditionalResponse = $null; AllBookInPolicy = $null
            AdditionalResponse = ''; AutomateProcessing = ''; CalendarFolder = ''; DefaultAccess = ''; AnonymousAccess = ''
        }
        continue
    }
    $found = @()
    if ($p.DeleteComments) { $found += 'delete the text of invites' }
    if ($p.DeleteSubject) { $found += 'delete the subject' }
    if ($p.AddOrganizerToSubject) { $found += 'add the organizer to the subject' }
    if ($p.RemovePrivateProperty) { $found += 'clear the private flag' }
    if ("$($p.AutomateProcessing)" -ne 'AutoAccept') { $found += 'do not accept by themselves' }
    foreach ($f in $found) {
        Write-Warning "${room}: $f"
        $problems[$f] += $room
    }
    if ($found.Count -eq 0) { Write-Host "  all checks passed" -ForegroundColor Green }
    if ($p.ProcessExternalMeetingMessages) {
        Write-Host "  takes forwarded invites from outside"
        $external += $room
    }
    # The folder has the name of the mailbox's language.
    $folder = "$((Get-MailboxFolderStatistics -Identity $room -FolderScope Calendar -ErrorAction SilentlyContinue | Where-Object { $_.FolderType -eq 'Calendar' } | Select-Object -First 1).Name)"
    $default = Get-MailboxFolderPermission -Identity "${room}:\$folder" -User Default -ErrorAction SilentlyContinue
    $anonymous = Get-MailboxFolderPermission -Identity "${room}:\$folder" -User Anonymous -ErrorAction SilentlyContinue
    [pscustomobject]@{
        PrimarySmtpAddress             = $room
        DisplayName                    = "$($member.DisplayName)"
        RecipientTypeDetails           = "$($member.RecipientTypeDetails)"
        DeleteComments                 = [bool]$p.DeleteComments
        DeleteSubject                  = [bool]$p.DeleteSubject
        AddOrganizerToSubject          = [bool]$p.AddOrganizerToSubject
        RemovePrivateProperty          = [bool]$p.RemovePrivateProperty
        ProcessExternalMeetingMessages = [bool]$p.ProcessExternalMeetingMessages
        AddAdditionalResponse          = [bool]$p.AddAdditionalResponse
        AllBookInPolicy                = [bool]$p.AllBookInPolicy
        AdditionalResponse             = "$($p.AdditionalResponse)"
        AutomateProcessing             = "$($p.AutomateProcessing)"
        CalendarFolder                 = $folder
        DefaultAccess                  = "$($default.AccessRights -join ',')"
        AnonymousAccess                = "$($anonymous.AccessRights -join ',')"
    }
}
Write-Host 'Summary:'
foreach ($f in $problems.Keys) {
    Write-Host "$($problems[$f].Count) rooms $f"
    if ($problems[$f].Count -gt 0) { Write-Host "  $($problems[$f] -join ', ')" }
}
Write-Host "$($external.Count) rooms take forwarded invites from outside"
if ($external.Count -gt 0) { Write-Host "  $($external -join ', ')" }
ConvertTo-Json -InputObject @($report) -Depth 3 | Out-File -FilePath otj-rooms.json -Encoding utf8
@($report) | Export-Csv -Path otj-rooms.csv -NoTypeInformation -Encoding UTF8
Write-Host "$(@($report).Count) rooms are in otj-rooms.json and otj-rooms.csv"
`
}

// groupMailboxes are the mailboxes to put into the group: without any the reader
// has to say which, since not every room has a device.
func groupMailboxes(o ScriptOptions) string {
	if len(o.Mailboxes) == 0 {
		return "# The addresses of the rooms, as in @('first@example.com', 'second@example.com'). All there are:\n" +
			"#   Get-EXOMailbox -RecipientTypeDetails RoomMailbox -ResultSize Unlimited | Select-Object PrimarySmtpAddress\n" +
			"$mailboxes = @()"
	}
	return mailboxList(o)
}

func mailboxList(o ScriptOptions) string {
	if len(o.Mailboxes) == 0 {
		return "$mailboxes = @(Get-DistributionGroupMember -Identity " + Quote(o.Group) + " -ResultSize Unlimited | ForEach-Object { $_.PrimarySmtpAddress })"
	}
	var b strings.Builder
	b.WriteString("$mailboxes = @(\n")
	for i, m := range o.Mailboxes {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteString("    " + Quote(m))
	}
	b.WriteString("\n)")
	return b.String()
}

// Quote writes s as a PowerShell string that stands for exactly s. In single
// quotes nothing is expanded, and a quote is written twice. PowerShell takes the
// typographic quotes U+2018 to U+201B for single quotes too
// (about_Quoting_Rules; the language specification, section 2.3.5.2).
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range s {
		switch r {
		case '\'', '\u2018', '\u2019', '\u201a', '\u201b':
			b.WriteRune(r)
		case 0:
			continue // no name has one, and none could be written
		}
		b.WriteRune(r)
	}
	b.WriteByte('\'')
	return b.String()
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return false
		}
	}
	return true
}

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
				return false
			}
		}
	}
	return true
}
