// Package cisco puts meetings on the screens of Cisco RoomOS room devices.
//
// There are five ways, for what a site's network allows; docs/cisco.md has them
// side by side:
//
//   - [New] calls the device over HTTPS;
//   - [NewWebSocket] keeps a WebSocket to the device, and hears at once when it
//     wants its meetings again;
//   - [NewCloud] goes through the Webex cloud;
//   - [MacroServer] is called by a macro on the device;
//   - [Manager] is called by the device as if it were TMS.
//
// All make an otj.Endpoint, and show the same. Package ciscotest has a
// simulated device for each.
//
// # Commercial use needs Cisco's permission
//
// Cisco allows the use of its interfaces for scheduled joining, such as one
// button to push, only without commerce: for the internal business of who uses
// them, and not as part of a product or service that earns income, directly or
// indirectly. This holds for the command Bookings Put, for the older
// /bookingsputxml and for any other interface used to the same end. All other
// use needs a separate permission of Cisco, which devsupport@webex.com gives,
// and Cisco may revoke it. See "Permitted Commercial Use for Scheduled Meeting
// Join Experience" in Cisco's RoomOS release notes. The licence of this package
// does not give that permission.
//
// # Known gaps
//
// Nothing here was tried with hardware: it was built from Cisco's public
// documentation, and is tested with a simulated device that Cisco's own client
// jsxapi drives too. The Webex cloud is tested with a simulation alone. The
// list of an External Manager and the older /bookingsputxml are known from
// public programs and not from Cisco.
//
// A device keeps one list of bookings, and every write replaces it: a meeting
// that somebody books at the panel is gone after the next one.
package cisco
