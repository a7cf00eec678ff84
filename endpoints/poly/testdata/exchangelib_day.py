# Lists the day and reads each item, as JSON lines: URL USER PASSWORD AUTH CA
import json, sys

import requests.adapters
from exchangelib import Account, Build, Configuration, Credentials, DELEGATE, EWSDateTime, UTC, Version
from exchangelib.protocol import BaseProtocol
from exchangelib.transport import BASIC, NTLM

url, user, password, auth, ca = sys.argv[1:]


class Adapter(requests.adapters.HTTPAdapter):
    def cert_verify(self, conn, url, verify, cert):
        super().cert_verify(conn=conn, url=url, verify=ca, cert=cert)


BaseProtocol.HTTP_ADAPTER_CLS = Adapter
known = {} if auth == "guess" else {"auth_type": {"basic": BASIC, "ntlm": NTLM}[auth], "version": Version(build=Build(15, 1, 2507, 6))}
config = Configuration(service_endpoint=url, credentials=Credentials(user, password), **known)
account = Account(primary_smtp_address="fjord@example.com", config=config, autodiscover=False, access_type=DELEGATE, default_timezone=UTC)
for i in account.calendar.view(start=EWSDateTime(2026, 11, 23, tzinfo=UTC), end=EWSDateTime(2026, 11, 24, tzinfo=UTC)):
    print(json.dumps({"id": i.id, "subject": i.subject, "start": i.start.isoformat(), "end": i.end.isoformat(), "location": i.location or "",
                      "organizer": i.organizer.name, "sensitivity": i.sensitivity, "body": str(i.body or "")}))
