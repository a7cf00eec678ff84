package poly

import (
	"net/http"
	"strings"
)

// poxOperation is the name under which Autodiscover by plain XML is counted.
const poxOperation = "Autodiscover"

// ewsURL is what Autodiscover tells.
func (s *Server) ewsURL() string { return s.opts.URL + "/EWS/Exchange.asmx" }

// settings returns the value of a setting of SOAP Autodiscover, if it has one.
func (s *Server) setting(name string, r *Room) string {
	switch name {
	case "ExternalEwsUrl", "InternalEwsUrl":
		return s.ewsURL()
	case "EwsSupportedSchemas", "ExternalEwsVersion":
		return map[string]string{"EwsSupportedSchemas": "Exchange2007, Exchange2007_SP1, Exchange2010, Exchange2010_SP1, Exchange2010_SP2, Exchange2013, Exchange2013_SP1, Exchange2016",
			"ExternalEwsVersion": "15.01.2507.006"}[name]
	case "UserDisplayName":
		return r.name
	case "AutoDiscoverSMTPAddress":
		return r.opts.Mailbox
	}
	return ""
}

// autodiscover answers GetUserSettings (MS-OXWSADISC 3.1.4.3). Whatever mailbox
// is named, the settings are those of the room that asks.
func (s *Server) autodiscover(a *answer, q *request, r *Room) error {
	if q.op != "GetUserSettingsRequestMessage" {
		return &faultError{"ErrorInvalidOperation", "Not supported."}
	}
	if q.users != 1 {
		return &faultError{"ErrorSchemaValidation", "GetUserSettings needs the one User whose device asks."}
	}
	a.raw(`<GetUserSettingsResponseMessage xmlns="` + autodiscoverNS + `"><Response xmlns:i="http://www.w3.org/2001/XMLSchema-instance">` +
		`<ErrorCode>NoError</ErrorCode><ErrorMessage/><UserResponses><UserResponse><ErrorCode>NoError</ErrorCode>` +
		`<ErrorMessage>No error.</ErrorMessage><RedirectTarget i:nil="true"/><UserSettingErrors>`)
	for _, name := range q.settings {
		if s.setting(name, r) == "" {
			a.raw(`<UserSettingError><ErrorCode>SettingIsNotAvailable</ErrorCode><ErrorMessage>The setting is not available.</ErrorMessage><SettingName>`)
			a.line(name)
			a.raw(`</SettingName></UserSettingError>`)
		}
	}
	a.raw(`</UserSettingErrors><UserSettings>`)
	for _, name := range q.settings {
		if value := s.setting(name, r); value != "" {
			a.raw(`<UserSetting i:type="StringSetting"><Name>` + name + `</Name><Value>`)
			a.line(value)
			a.raw(`</Value></UserSetting>`)
		}
	}
	a.raw(`</UserSettings></UserResponse></UserResponses></Response></GetUserSettingsResponseMessage>`)
	return nil
}

const (
	poxRequestNS  = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
	poxResponseNS = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
	poxErrorNS    = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
)

// servePOX answers Autodiscover by plain XML (MS-OXDSCLI).
func (s *Server) servePOX(w http.ResponseWriter, req *http.Request, r *Room, body []byte) {
	email, schema, right := "", "", false
	err := walk(body, func(path []element) error {
		right = right || len(path) == 1 && path[0].Space == poxRequestNS && path[0].Local == "Autodiscover"
		return nil
	}, func(path []element, text string) error {
		if len(path) == 3 && path[1].Local == "Request" {
			switch path[2].Local {
			case "EMailAddress":
				email = strings.TrimSpace(text)
			case "AcceptableResponseSchema":
				schema = strings.TrimSpace(text)
			}
		}
		return nil
	})
	readable := err == nil && right && email != ""
	if readable {
		r.record(req, poxOperation, body, 0)
	} else {
		r.record(req, "", body, 0)
	}
	a := &answer{b: []byte(`<?xml version="1.0" encoding="utf-8"?>`)}
	switch {
	case !readable:
		a.raw(`<Autodiscover xmlns="` + poxErrorNS + `"><Response><Error><ErrorCode>600</ErrorCode><Message>Invalid Request</Message><DebugData/></Error></Response></Autodiscover>`)
	case schema != "" && schema != poxResponseNS:
		a.raw(`<Autodiscover xmlns="` + poxErrorNS + `"><Response><Error><ErrorCode>601</ErrorCode><Message>Provider is not available</Message><DebugData/></Error></Response></Autodiscover>`)
	default:
		a.raw(`<Autodiscover xmlns="` + poxErrorNS + `"><Response xmlns="` + poxResponseNS + `"><User><DisplayName>`)
		a.line(r.name)
		a.raw(`</DisplayName><AutoDiscoverSMTPAddress>`)
		if r.opts.Mailbox != "" {
			email = r.opts.Mailbox
		}
		a.line(email)
		a.raw(`</AutoDiscoverSMTPAddress></User><Account><AccountType>email</AccountType><Action>settings</Action>`)
		for _, kind := range []string{"EXCH", "EXPR"} {
			a.raw(`<Protocol><Type>` + kind + `</Type><ASUrl>`)
			a.line(s.ewsURL())
			a.raw(`</ASUrl><EwsUrl>`)
			a.line(s.ewsURL())
			a.raw(`</EwsUrl></Protocol>`)
		}
		a.raw(`</Account></Response></Autodiscover>`)
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.Header().Set("Cache-Control", "private, no-store")
	_, _ = w.Write(a.b)
}
