// Package control is the control centre: who may configure what of One-Touch
// Join, and where that is kept.
//
// Companies have rooms; a partner manages companies. A company has tenants,
// whose domains it has proved to own, providers that read calendars, mailboxes,
// video systems and groups of them, and settings that say how invites are
// processed and shown.
package control
