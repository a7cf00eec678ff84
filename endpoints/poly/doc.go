// Package poly shows meetings on Poly devices, which poll what they believe is
// an Exchange server: [Server] answers the part of Exchange Web Services (EWS)
// that they need, and each [Room] of it is an endpoint. [Device] sets such a
// device up over its REST interface, and [Setup] writes what other ways of
// setting it up need. The devices of package polytest are simulated ones.
//
// A device gets what package otj has planned and nothing else: there is no
// calendar behind the facade, so private meetings have no details that could
// be asked for.
//
// Served are FindItem, GetItem, GetFolder, ConvertId, SyncFolderItems, pull
// subscriptions (Subscribe, GetEvents, Unsubscribe) and, where Options.URL is
// set, Autodiscover. Every other operation gets a typed fault and is counted in
// [Room.Status]; [Room.SetCapture] keeps the requests themselves.
//
// Known gaps: nothing here has been tried on a real device. Limits are kept in
// memory, so each process counts alone, and behind a proxy all devices share
// the proxy's address. NTLM belongs to the connection: switch it on only where
// devices reach the server without a proxy that shares connections. NTLMv1 and
// channel binding are not supported.
package poly
