// The part of the macro runtime that the macro uses, on Node. Commands go to the
// test, a line of JSON each on standard output, and answers come on standard
// input; HttpClient calls out itself, one request at a time, as a device does.
import https from 'node:https';
import readline from 'node:readline';

const handlers = {};
const waiting = {};
let last = 0;
let inFlight = 0;
let seen = 0;

const send = (o) => process.stdout.write(JSON.stringify(o) + '\n');

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const m = JSON.parse(line);
  if (m.event) (handlers[m.event] || []).forEach((h) => h(m.value));
  else if (m.error) waiting[m.id].reject(new Error(m.error));
  else waiting[m.id].resolve(m.result);
});

const ask = (call, params, body) => new Promise((resolve, reject) => {
  const id = ++last;
  waiting[id] = { resolve, reject };
  send({ id, call, params, body });
});

function http(method) {
  return (params, body) => new Promise((resolve, reject) => {
    // The first call finds the connections in use, as happens on devices.
    if (inFlight > 0 || seen++ === 0) {
      reject(new Error('No available http connections'));
      return;
    }
    for (const h of params.Header) if (h.length > 3072) throw new Error('header too long');
    inFlight++;
    const headers = Object.fromEntries(params.Header.map((h) => h.split(': ')));
    const req = https.request(params.Url, { method: method.toUpperCase(), headers, rejectUnauthorized: false }, (res) => {
      let data = '';
      res.on('data', (c) => { data += c; });
      res.on('end', () => {
        inFlight--;
        if (res.statusCode >= 300) {
          reject(Object.assign(new Error('Command returned an error.'), { data: { StatusCode: String(res.statusCode) } }));
        } else {
          resolve({ StatusCode: String(res.statusCode), Body: data });
        }
      });
    });
    req.on('error', (e) => { inFlight--; reject(e); });
    req.end(body);
  });
}

const on = (name) => ({ on: (h) => { (handlers[name] = handlers[name] || []).push(h); } });
const status = (name) => ({ get: () => ask('Status ' + name), ...on('Status ' + name) });

export default {
  Command: {
    HttpClient: { Get: http('Get'), Post: http('Post') },
    Bookings: { Put: (params, body) => ask('Bookings Put', params, body) },
    Macros: { Macro: { Save: (p, body) => ask('Macros Macro Save', p, body), Get: (p) => ask('Macros Macro Get', p) } },
    UserInterface: { Message: { Alert: { Display: (p) => ask('Alert', p) } } },
  },
  Status: {
    SystemUnit: { Software: { Version: status('SystemUnit/Software/Version') }, ProductPlatform: status('SystemUnit/ProductPlatform') },
    Webex: { Status: status('Webex/Status') },
    Standby: { State: status('Standby/State') },
  },
  Event: { Bookings: { SyncRequired: on('SyncRequired') }, BootEvent: on('BootEvent') },
};
