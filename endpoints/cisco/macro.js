// One-Touch Join: fetches this room's meetings and gives them to the device.
// The server that handed it out has filled in the address and the token.
import xapi from 'xapi';

const config = {/* filled in by the server */};
const store = 'otj-token'; // a macro that never runs: it keeps a renewed token

let token = config.token;
let interval = config.interval;
let tag = '';
let busy = false;
let again = false;
let lost = false; // the device has no list, whatever tag says
let failingSince = 0;
let told = false;
let timer;

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// The device has few connections for macros and shares them: a refused one is
// tried again after a moment.
async function request(method, path, body) {
  const params = {
    Url: config.url + path,
    Header: ['Authorization: Bearer ' + token, 'Content-Type: application/json'],
    Timeout: 20,
    ResultBody: 'PlainText',
    ResponseSizeLimit: 1048576,
  };
  for (let n = 0; ; n++) {
    try {
      return body === undefined
        ? await xapi.Command.HttpClient[method](params)
        : await xapi.Command.HttpClient[method](params, body);
    } catch (e) {
      if (n < 3 && /No available http connections/i.test(String(e && e.message))) {
        await wait(500 + 1000 * n);
        continue;
      }
      const status = e && e.data && e.data.StatusCode;
      throw new Error(status ? 'status ' + status : String((e && e.message) || e));
    }
  }
}

async function value(get) {
  try {
    return String(await get());
  } catch (e) {
    return '';
  }
}

async function query() {
  const version = await value(() => xapi.Status.SystemUnit.Software.Version.get());
  const product = await value(() => xapi.Status.SystemUnit.ProductPlatform.get());
  const webex = await value(() => xapi.Status.Webex.Status.get());
  return Object.entries({ version, product, webex, tag })
    .map(([k, v]) => k + '=' + encodeURIComponent(v)).join('&');
}

async function report(error) {
  await request('Post', '/status', JSON.stringify({ tag, error }));
}

async function renew(next) {
  await xapi.Command.Macros.Macro.Save({ Name: store, Overwrite: 'True', Transpile: 'False' }, '// ' + JSON.stringify({ first: config.token, token: next }));
  token = next;
}

async function restore() {
  try {
    const saved = await xapi.Command.Macros.Macro.Get({ Name: store, Content: 'True' });
    const kept = JSON.parse(saved.Macro[0].Content.replace(/^\/\/ /, ''));
    // A token from before this macro was enrolled again is void.
    if (kept.first === config.token) token = kept.token;
  } catch (e) {
    // Nothing was kept yet.
  }
}

async function fetchAndPut() {
  if (lost) {
    lost = false;
    tag = '';
  }
  const answer = await request('Get', '/meetings?' + (await query()));
  const got = JSON.parse(answer.Body);
  interval = got.interval || interval;
  if (got.token) await renew(got.token);
  if (!got.ready || got.tag === tag) return;
  try {
    await xapi.Command.Bookings.Put({}, JSON.stringify({ Bookings: got.bookings || [] }));
  } catch (e) {
    await report(String((e && e.message) || e));
    return;
  }
  tag = got.tag;
  await report('');
}

async function failed(e) {
  console.warn('One-Touch Join: ' + e.message);
  failingSince = failingSince || Date.now();
  if (told || Date.now() - failingSince < config.errorAfter * 1000) return;
  told = true;
  try {
    await xapi.Command.UserInterface.Message.Alert.Display({ Title: 'Meetings', Text: 'The list of meetings may be out of date', Duration: 30 });
  } catch (err) {
    console.warn('One-Touch Join: ' + err.message);
  }
}

// One run at a time; what comes meanwhile makes one more.
async function run() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  clearTimeout(timer);
  do {
    again = false;
    try {
      await fetchAndPut();
      failingSince = 0;
      told = false;
    } catch (e) {
      await failed(e);
    }
  } while (again);
  busy = false;
  // A tenth more or less, so that rooms do not call together.
  timer = setTimeout(run, interval * 1000 * (0.95 + Math.random() / 10));
}

function anew() {
  lost = true; // also for a run that is under way, and has an old list in hand
  run();
}

xapi.Event.Bookings.SyncRequired.on(anew);
xapi.Event.BootEvent.on(anew);
xapi.Status.Standby.State.on((state) => {
  if (state === 'Off') run();
});
restore().then(run);
