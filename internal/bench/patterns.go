package bench

// Pattern is one of the fifty regular expressions of the usual code: what a
// program without a scanner of its own runs over an invite, one after the other.
type Pattern struct {
	Name, Expr string
	URI        bool // false for a label in the text
}

// Patterns are forty for links and addresses and ten for labelled values. They
// are written as an application would write them: no flag for upper and lower
// case on links, so that the literal prefix helps the regexp package; captures
// for the parts that are wanted.
var Patterns = []Pattern{
	{"teams meetup-join", `https://teams\.microsoft\.com/l/meetup-join/(19(?:%3a|:)[^\s"'<>]+)`, true},
	{"teams meet", `https://teams\.(?:microsoft|live)\.com/meet/(\d{9,15})\?p=(\w+)`, true},
	{"cvi webex", `https://www\.webex\.com/msteams\?confid=(\d+)&(?:amp;)?tenantkey=(\w+)&(?:amp;)?domain=([\w.]+)`, true},
	{"cvi pexip", `https://[\w.-]+/teams/\?conf=(\d+)&(?:amp;)?ivr=([\w.]+)&(?:amp;)?d=([\w.-]+)`, true},
	{"cvi poly", `https://dialin\.plcm\.vc/teams/\?key=(\d+)&(?:amp;)?conf=(\d+)`, true},
	{"zoom", `https://(?:[\w-]+\.)?zoom(?:gov)?\.(?:us|com)/[jw]/(\d{9,11})(?:\?pwd=([\w.-]+))?`, true},
	{"zoom personal", `https://(?:[\w-]+\.)?zoom\.us/my/([\w.-]+)`, true},
	{"zoommtg", `zoommtg://[\w.-]*zoom\.us/join\?(?:[^\s"'<>]*&)?confno=(\d{9,11})`, true},
	{"webex j.php", `https://([\w-]+)\.webex\.com/([\w.-]+)/j\.php\?MTID=(m[0-9a-f]{32})`, true},
	{"webex room", `https://([\w-]+)\.webex\.com/(?:meet|join)/([\w.-]+)`, true},
	{"webex wbxmjs", `https://([\w-]+)\.webex\.com/wbxmjs/joinservice/sites/([\w.-]+)/meeting/download/(\w+)`, true},
	{"meet", `https://meet\.google\.com/([a-z]{3}-[a-z]{4}-[a-z]{3})`, true},
	{"meet lookup", `https://meet\.google\.com/lookup/([\w-]+)`, true},
	{"goto", `https://(?:global\.gotomeeting\.com/join|meet\.goto\.com|www\.gotomeet\.me)/([\w-]+)`, true},
	{"bluejeans", `https://(?:\w+\.)?bluejeans\.com/(\d+)(?:/(\d+))?`, true},
	{"ringcentral", `https://(?:v|meetings)\.ringcentral\.com/(?:join|j)/(\d+)`, true},
	{"chime", `https://(?:app\.)?chime\.aws/(?:meetings/)?([\w-]+)`, true},
	{"jitsi", `https://meet\.jit\.si/([^\s"'<>]+)`, true},
	{"whereby", `https://(?:[\w-]+\.)?whereby\.com/([\w-]+)`, true},
	{"starleaf", `https://meet\.starleaf\.com/(\d+)`, true},
	{"lifesize", `https://call\.lifesizecloud\.com/(\d+)`, true},
	{"skype for business", `https://meet\.lync\.com/([\w.-]+)/([\w.-]+)/(\w+)`, true},
	{"skype", `https://join\.skype\.com/(?:invite/)?(\w+)`, true},
	{"8x8", `https://8x8\.vc/([\w.-]+)/([\w.-]+)`, true},
	{"dialpad", `https://meetings\.dialpad\.com/(?:room/)?([\w/-]+)`, true},
	{"vonage", `https://meetings\.vonage\.com/(?:\?room_token=)?([\w-]+)`, true},
	{"livestorm", `https://app\.livestorm\.(?:co|com)/p/([\w-]+)`, true},
	{"voov", `https://(?:voovmeeting|meeting\.tencent)\.com/(?:dm|s|p)/(\w+)`, true},
	{"feishu", `https://vc\.(?:feishu\.cn|larksuite\.com)/j/(\d+)`, true},
	{"gather", `https://app\.gather\.town/app/([\w/-]+)`, true},
	{"discord", `https://(?:www\.)?discord(?:app)?\.(?:gg|com)/(?:invite/)?([\w-]+)`, true},
	{"slack huddle", `https://app\.slack\.com/huddle/(\w+)/(\w+)`, true},
	{"around", `https://(?:meet\.)?around\.co/(?:r/)?([\w-]+)`, true},
	{"pexip webapp", `https://[\w.-]+/webapp/(?:#/|home/)?\?conference=([\w.@-]+)`, true},
	{"pexip", `pexip://([\w.-]+@[\w.-]+)`, true},
	{"sip", `sips?:([\w.%+-]+@[\w.-]+)`, true},
	{"h323", `h323:([\w.#@-]+)`, true},
	{"interop address", `\b(\d{8,13})@[\w.-]*(?:onpexip\.com|meet\.fabrikam\.example)`, true},
	{"zoomcrc", `\b(\d{9,11})(?:\.(\d+))?@zoomcrc\.com`, true},
	{"webex address", `\b(\d{9,11})@([\w-]+)\.webex\.com`, true},

	{"tenant key", `(?i)tenant key:\s*([\w.-]+@[\w.-]+)`, false},
	{"video id", `(?i)(?:video|vtc|video conference|conference) id:\s*([\d ]{9,14})`, false},
	{"meeting id", `(?i)meeting id:\s*([\d  ]{9,19})`, false},
	{"passcode", `(?i)pass(?:code|word):\s*(\S{4,16})`, false},
	{"meeting number", `(?i)meeting number(?: \(access code\))?:\s*([\d ]{9,14})`, false},
	{"video password", `(?i)\((\d{6,10}) (?:from|when dialing from) [\w ]*video system`, false},
	{"ip##id", `\b(\d{1,3}(?:\.\d{1,3}){3})##(\d+)`, false},
	{"pin", `(?i)\bpin:\s*(\d{4,12})`, false},
	{"one tap", `\+\d{7,15},,(\d{9,11})#,,,,\*(\d+)#`, false},
	{"vmr", `\b([\w.-]+\.vmr@[\w.-]+)`, false},
}
