// Package console is the control centre's web console: pages for the people who
// set up One-Touch Join and look after it. They are rendered on the server, work
// without script and without the internet, and follow the browser's choice of
// light or dark.
//
// # How to add a page
//
// A page is a route, a handler, a template and its texts. Write a file named
// after the topic with a method that registers its routes, and call it in New:
//
//	func (c *Console) alarmRoutes() {
//		c.inOrg("GET /o/{org}/alarms", control.ReadCompany, c.alarms)
//		c.inOrg("POST /o/{org}/alarms/{id}/mute", control.Configure, c.muteAlarm)
//	}
//
// inOrg signs the caller in, reads the organization of the path, checks the
// action, and for all but GET the token of the form. signedIn is for pages that
// belong to no organization, open for those that need nobody signed in.
//
// The handler returns show with a page, or redirect after a change. An error of
// the Centre that it returns becomes the page that fits: not found, not allowed,
// changed meanwhile.
//
//	func (c *Console) alarms(r *request) error {
//		list, err := c.centre.Alarms(r.Context(), r.actor, r.org.ID)
//		if err != nil {
//			return err
//		}
//		return r.show(page{Template: "alarms", Title: text("menu.alarms"), Data: list})
//	}
//
// The template is templates/alarms.html and defines "content". Its dot is a view;
// what the handler gave is .Data. Whatever it prints is escaped. There is no style
// attribute and no inline script: the content security policy forbids them. What
// templates share is in parts.html: field, csrf, empty, badge, copy, time, pager.
// A part with data-refresh="5" and an id loads itself again every five seconds,
// for as long as what comes back has that attribute.
//
// The texts are in texts/en, one file a topic, and are used by key: {{t
// "alarms.title"}}. {{n "alarms.count" 3}} takes alarms.count.one or
// alarms.count.other. The file's name is the first word of its keys. A missing key
// is an error, and a test finds texts that nothing uses: keys stand in the source
// as whole literals, or as a literal that ends with a dot and a variable.
//
// The entry in the menu is a line in menu.go.
//
// # Forms
//
// A form is made by newForm of what is to be edited, or by sent of what was sent.
// Its fields are drawn by
//
//	{{template "field" (.Form.Text "name" "providers.name" 250)}}
//
// where "providers.name" is the label's key, and "providers.name.hint", if there
// is one, the hint's. The name is that of the Centre's field, so that its errors
// find their place. A handler asks failed about the error, and shows the form
// again if it says so:
//
//	switch {
//	case f.failed(err, "name"):
//		return r.showProvider(f)
//	case err != nil:
//		return err
//	}
//	return r.redirect(r.path("providers"), "providers.saved", p.Name)
//
// A field that may stay empty is .AsOptional. There is a summary of all problems
// at the top of the page by itself. An object that can be deleted is a line in
// removables, which asks first and says what the deletion takes along.
//
// # Tests
//
// The tests have a world with a browser that follows links and sends forms by
// their texts, and checks each page it gets for what holds for all of them.
package console
