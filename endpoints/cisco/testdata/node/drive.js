// Drives a device with Cisco's own client: node drive.js URL USER PASSWORD.
// Prints one JSON object of what it saw.
const [url, username, password] = process.argv.slice(2);
const jsxapi = require(require.resolve('jsxapi', { paths: [process.env.OTJ_NODE] }));
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';

const fail = (e) => {
  console.error(String((e && e.stack) || e));
  process.exit(1);
};
setTimeout(() => fail(new Error('no end within 60 s')), 60000).unref();

let closing = false;
jsxapi
  .connect(url, { username, password })
  .on('error', (e) => closing || fail(e))
  .on('ready', async (x) => {
    try {
      const out = {};
      const start = new Date(Date.now() + 600000).toISOString().replace(/\.\d+Z/, 'Z');
      const booking = {
        Id: 'otj-x', Title: 'Grüße & <b>', Number: '1@example.com', Protocol: 'SIP', Organizer: { Name: 'Ada Example' },
        Time: { StartTime: start, Duration: 30, StartTimeBuffer: 300, EndTimeBuffer: 0 },
      };
      let handle;
      const updated = new Promise((done) => { handle = x.Event.Bookings.Updated.on(done); });
      await handle.registration; // the device has answered the subscription
      out.put = (await x.Command.Bookings.Put({}, JSON.stringify({ Bookings: [booking] }))) || {};
      await updated;
      const list = await x.Command.Bookings.List({ Days: 1, DayOffset: 0 });
      out.list = list.Booking.map((b) => ({ id: b.Id, title: b.Title, number: b.DialInfo.Calls.Call[0].Number }));
      out.rows = Number(list.ResultInfo.TotalRows);
      out.version = await x.Status.SystemUnit.Software.Version.get();
      await x.Config.SystemUnit.Name.set('Renamed');
      out.name = await x.Config.SystemUnit.Name.get();
      const refused = async (call) => {
        try {
          await call();
          return 'no error';
        } catch (e) {
          return e.message;
        }
      };
      out.unknown = await refused(() => x.Command.Foo.Bar());
      out.parameter = await refused(() => x.Command.Bookings.List({ Days: 9999 }));
      out.bad = await refused(() => x.Command.Bookings.Put({}, '{'));
      await x.Command.Bookings.Clear();
      const cleared = await x.Command.Bookings.List({ Days: 1 });
      out.cleared = cleared.Booking === undefined;
      console.log(JSON.stringify(out));
      closing = true;
      x.close();
      setTimeout(() => process.exit(0), 100);
    } catch (e) {
      fail(e);
    }
  });
