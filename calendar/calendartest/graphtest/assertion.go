package graphtest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // x5t is SHA-1 by definition (RFC 7515, section 4.1.7)
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

func sha1Sum(raw []byte) []byte {
	sum := sha1.Sum(raw) //nolint:gosec // as above
	return sum[:]
}

// checkAssertion checks a client assertion (RFC 7523) signed by one of the app's
// certificates, as Entra does. It returns the code and text of Entra's error, or
// 0. The caller holds the server's mu.
// https://learn.microsoft.com/entra/identity-platform/certificate-credentials
func (a *App) checkAssertion(assertion string, t *Tenant, at string, now time.Time) (code int, text string) {
	parts := strings.Split(assertion, ".")
	malformed := func(why string) (int, string) { return 50027, "JWT token is invalid or malformed: " + why }
	if len(parts) != 3 {
		return malformed("it does not have three parts.")
	}
	var raw [3][]byte
	for i, p := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
			return malformed("part is not base64url.")
		}
	}
	var header struct {
		Algorithm string `json:"alg"`
		Short     string `json:"x5t"`
		Long      string `json:"x5t#S256"`
		KeyID     string `json:"kid"`
	}
	var body struct {
		Audience  string      `json:"aud"`
		Issuer    string      `json:"iss"`
		Subject   string      `json:"sub"`
		ID        string      `json:"jti"`
		NotBefore json.Number `json:"nbf"`
		Expires   json.Number `json:"exp"`
	}
	if json.Unmarshal(raw[0], &header) != nil || json.Unmarshal(raw[1], &body) != nil {
		return malformed("part is not JSON.")
	}
	named := []string{strings.TrimRight(header.Short, "="), strings.TrimRight(header.Long, "="), strings.ToUpper(header.KeyID)}
	i := slices.IndexFunc(a.certs, func(c certificate) bool {
		return slices.ContainsFunc(thumbprints(c.cert.Raw), func(s string) bool { return s != "" && slices.Contains(named, s) })
	})
	if i < 0 {
		return 700027, fmt.Sprintf("The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found., Please visit the Azure Portal to check the keys of app '%s'.]", a.id)
	}
	key, ok := a.certs[i].cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return 700027, "The certificate used to sign the client assertion has no RSA key."
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	var err error
	switch header.Algorithm {
	case "RS256":
		err = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw[2])
	case "PS256":
		err = rsa.VerifyPSS(key, crypto.SHA256, sum[:], raw[2], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	default:
		return malformed("its algorithm is " + header.Algorithm + ".")
	}
	if err != nil {
		return 700027, "Client assertion contains an invalid signature. [Reason - The key was found but the signature does not match.]"
	}
	if !now.Before(a.certs[i].expiry) {
		return 700027, "Client assertion contains an invalid signature. [Reason - The key used is expired.]"
	}
	if body.Issuer != a.id || body.Subject != a.id {
		return 700021, "Client assertion application identifier doesn't match 'client_id' parameter."
	}
	var audiences []string
	for _, name := range []string{t.id, t.domain} {
		audiences = append(audiences, at+"/"+name+"/oauth2/v2.0/token", at+"/"+name+"/v2.0")
	}
	if !slices.Contains(audiences, body.Audience) {
		return 700023, "Client assertion audience claim does not match Realm issuer."
	}
	from, err1 := body.NotBefore.Int64()
	to, err2 := body.Expires.Int64()
	// Entra allows for five minutes between the clocks.
	const leeway = 300
	if err1 != nil || err2 != nil || now.Unix() < from-leeway || now.Unix() >= to+leeway {
		return 700024, fmt.Sprintf("Client assertion is not within its valid time range. Current time: %s, assertion valid from %s, expiry time of assertion %s.",
			now.UTC().Format(time.RFC3339), time.Unix(from, 0).UTC().Format(time.RFC3339), time.Unix(to, 0).UTC().Format(time.RFC3339))
	}
	return 0, ""
}
