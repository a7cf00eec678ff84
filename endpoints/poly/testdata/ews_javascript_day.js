// Lists the day and reads each item, as JSON lines: URL USER PASSWORD AUTH
const path = require('path');
const modules = name => require(path.join(process.env.OTJ_NODE, 'node_modules', name));
const ews = modules('ews-javascript-api');
const [url, user, password, auth] = process.argv.slice(2);

(async () => {
  const s = new ews.ExchangeService(ews.ExchangeVersion.Exchange2013);
  s.Url = new ews.Uri(url);
  s.Credentials = new ews.WebCredentials(user, password);
  if (auth === 'ntlm') {
    const xhr = modules('@ewsjs/xhr');
    const api = new xhr.XhrApi({ rejectUnauthorized: false });
    s.XHRApi = api.useNtlmAuthentication(user, password);
  }
  const v = new ews.CalendarView(ews.DateTime.Parse('2026-11-23T00:00:00Z'), ews.DateTime.Parse('2026-11-24T00:00:00Z'), 50);
  v.PropertySet = new ews.PropertySet(ews.BasePropertySet.FirstClassProperties);
  const f = new ews.FolderId(ews.WellKnownFolderName.Calendar, new ews.Mailbox('fjord@example.com'));
  const text = new ews.PropertySet(ews.BasePropertySet.FirstClassProperties, [ews.ItemSchema.Body]);
  text.RequestedBodyType = ews.BodyType.Text;
  for (const a of (await s.FindAppointments(f, v)).Items) {
    const b = await ews.Appointment.Bind(s, a.Id, text);
    console.log(JSON.stringify({
      id: b.Id.UniqueId, subject: b.Subject, start: b.Start.ToISOString(), end: b.End.ToISOString(), location: b.Location || '',
      organizer: b.Organizer.Name, sensitivity: ews.Sensitivity[b.Sensitivity], body: b.Body.Text,
    }));
  }
})().catch(e => { console.error(e.stack || e); process.exit(1); });
