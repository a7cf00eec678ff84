package roomos

// release is the first version that has something.
type release struct{ major, minor int }

func (r release) in(v Version) bool { return v.AtLeast(r.major, r.minor) }

// Param is an argument of a command.
type Param struct {
	Name     string
	Required bool
	// Min and Max bound a number, or the length of a text; Max 0 is no bound.
	Min, Max int
	Number   bool
	// Values are the texts that are allowed; none means any.
	Values []Value
}

// Value is one of the texts that an argument allows, from a version on.
type Value struct {
	Text  string
	since release
}

// In reports whether a device of version v knows the value.
func (x Value) In(v Version) bool { return x.since.in(v) }

// Command is a command of the device's API.
type Command struct {
	Name  string // as in "Bookings Put"
	since release
	// User says that the role User may call it; otherwise Admin only.
	User bool
	// Multiline says that it takes a body.
	Multiline bool
	// NotInTeams says that a device in Microsoft Teams Rooms mode refuses it.
	NotInTeams bool
	Params     []Param
}

// In reports whether a device of version v knows the command.
func (c *Command) In(v Version) bool { return c.since.in(v) }

var (
	tc7  = release{7, 0}
	ce9  = release{9, 14}
	ros  = release{10, 0}
	none = release{11, 27}
	ros2 = release{26, 0}
)

var idOrMeeting = []Param{{Name: "Id", Max: 128}, {Name: "MeetingId", Max: 512}}

// Protocols and Platforms are the values of the fields of Bookings Put.
// Source: the command schemas of RoomOS 9.15, 10.19, 11.14 to 11.27 and 26.
var (
	Protocols = []Value{{"SIP", ce9}, {"H323", ce9}, {"ISDN", ce9}, {"IP", ce9}, {"Spark", ce9}, {"WebRTC", ros}, {"None", none}}
	Platforms = []Value{{"GoogleMeet", ros}, {"MicrosoftTeams", ros}, {"Zoom", ros}, {"Webex", ros}, {"Other", ros}, {"None", none}}
)

// Allows reports whether text is one of the values for version v.
func Allows(values []Value, text string, v Version) bool {
	for _, x := range values {
		if x.Text == text {
			return x.In(v)
		}
	}
	return false
}

// Commands are the Bookings commands and the others that matter here. Those of
// Bookings are known from the schemas of CE 9.15 and RoomOS 26.4 and from the
// manuals of TC7; where a generation between is not known to have a command, it
// has it here from 26 on.
var Commands = []Command{
	{Name: "Bookings Put", since: ce9, Multiline: true, NotInTeams: true},
	{Name: "Bookings Clear", since: tc7, User: true, NotInTeams: true},
	{Name: "Bookings List", since: tc7, User: true, Params: []Param{
		{Name: "AccountType", Values: []Value{{"Shared", ros2}, {"Personal", ros2}, {"SharedAndPersonal", ros2}}},
		{Name: "DayOffset", Number: true, Max: 365},
		{Name: "Days", Number: true, Min: 1, Max: 365},
		{Name: "Limit", Number: true, Min: 1, Max: 65534},
		{Name: "Offset", Number: true, Max: 65534},
		{Name: "ScheduleType", Values: []Value{{"Current", ros2}, {"Upcoming", ros2}}},
	}},
	{Name: "Bookings Get", since: tc7, User: true, Params: idOrMeeting},
	{Name: "Bookings Delete", since: ce9, User: true, Params: idOrMeeting},
	{Name: "Bookings NotificationSnooze", since: ce9, User: true, Params: append(idOrMeeting[:2:2],
		Param{Name: "SecondsToSnooze", Number: true, Min: 1, Max: 3600})},
	{Name: "Bookings Book", since: ce9, User: true, Params: []Param{
		{Name: "BookingRequestUUID", Max: 128}, {Name: "Title", Max: 512}, {Name: "StartTime", Max: 64},
		{Name: "Duration", Number: true, Min: 1, Max: 1440}, {Name: "Number", Max: 2048},
		{Name: "Protocol", Values: Protocols}, {Name: "MeetingPlatform", Values: Platforms},
		{Name: "OrganizerName", Max: 512}, {Name: "OrganizerEmail", Max: 512}, {Name: "OrganizerId", Max: 512},
	}},
	{Name: "Bookings Extend", since: ros2, User: true, Params: append(idOrMeeting[:2:2],
		Param{Name: "Duration", Number: true, Required: true, Min: 1, Max: 1440})},
	{Name: "Bookings CheckIn", since: ros2, User: true, Params: idOrMeeting},
	{Name: "Bookings CheckOut", since: ros2, User: true, Params: idOrMeeting},

	{Name: "HttpFeedback Register", since: tc7, Params: []Param{
		{Name: "FeedbackSlot", Number: true, Required: true, Min: 1, Max: 4},
		{Name: "ServerUrl", Required: true, Max: 2048},
		{Name: "Format", Values: []Value{{"XML", tc7}, {"JSON", ce9}}},
		{Name: "Expression", Max: 1024},
	}},
	{Name: "HttpFeedback Enable", since: tc7, Params: []Param{{Name: "FeedbackSlot", Number: true, Required: true, Min: 1, Max: 4}}},
	{Name: "HttpFeedback Deregister", since: tc7, Params: []Param{{Name: "FeedbackSlot", Number: true, Required: true, Min: 1, Max: 4}}},
	{Name: "Macros Macro Save", since: ce9, Multiline: true, Params: []Param{{Name: "Name", Required: true, Max: 255},
		{Name: "Overwrite", Values: []Value{{"True", ce9}, {"False", ce9}}}}},
	{Name: "Macros Macro Activate", since: ce9, Params: []Param{{Name: "Name", Required: true, Max: 255}}},
	{Name: "Macros Runtime Restart", since: ce9},
}

// Find returns the command of that name, as in "Bookings Put".
func Find(name string) (*Command, bool) {
	for i := range Commands {
		if Commands[i].Name == name {
			return &Commands[i], true
		}
	}
	return nil, false
}
