// Writes requests into the working directory, as a Go program makes them.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"net/url"
	"os"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func write(name string, key crypto.Signer, algorithm x509.SignatureAlgorithm) {
	constraints, err := asn1.Marshal(struct {
		CA      bool
		PathLen int
	}{true, 0})
	check(err)
	uri, err := url.Parse("spiffe://cluster.local/ns/istio-system/sa/citadel")
	check(err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:            pkix.Name{Organization: []string{"Istio"}, Locality: []string{"east"}, CommonName: "root"},
		SignatureAlgorithm: algorithm,
		DNSNames:           []string{"a.example"},
		URIs:               []*url.URL{uri},
		ExtraExtensions:    []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: constraints}},
	}, key)
	check(err)
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	check(os.WriteFile(name+".pem", block, 0o600))
}

func main() {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	write("rsa2048", rsaKey, x509.SHA256WithRSA)
	for name, curve := range map[string]elliptic.Curve{"p256": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		check(err)
		write(name, key, 0)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	check(err)
	write("ed25519", key, 0)
}
