// Loads a bundle as its consumer does, with Go's standard library, with which most of these are written;
// then signs what that consumer signs, and judges it as a peer does that has the roots alone:
// "accepted", or why not.
package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"time"
)

// What a consumer has read.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	sent        []*x509.Certificate // what it sends above what it signs
	roots       []*x509.Certificate
}

func main() {
	loaders := map[string]func([]string) (*authority, error){
		"istiod": istiod, "istiod-tls": istiodTLS, "gloo-mesh": glooMesh, "request": request,
		"cert-manager-issuer": certManagerIssuer, "ccm-pca": ccmPCA, "spire": spire,
		"linkerd": linkerd, "vault": vault, "step-ca": stepCA,
	}
	ca, err := loaders[os.Args[1]](os.Args[2:])
	if err == nil {
		err = ca.judge()
	}
	if err != nil {
		fmt.Printf("refused: %v\n", err)
	} else {
		fmt.Println("accepted")
	}
}

// istiod: ca-cert.pem ca-key.pem cert-chain.pem root-cert.pem. The certificate is judged through
// the chain's file, the chain is appended to every workload's as it stands.
func istiod(files []string) (*authority, error) {
	ca, err := load(files[0], files[1], files[2], files[3])
	if err != nil {
		return nil, err
	}
	if !ca.certificate.IsCA {
		return nil, errors.New("not a CA")
	}
	// One usage, server authentication, is what an empty list stands for.
	return ca, ca.verify(ca.certificate, ca.sent, nil)
}

// The Secret of type kubernetes.io/tls: tls.crt stands for certificate and chain.
func istiodTLS(files []string) (*authority, error) {
	return istiod([]string{files[0], files[1], files[0], files[2]})
}

// The management plane reads istiod's names, and signs a CA for each cluster's istiod.
func glooMesh(files []string) (*authority, error) {
	ca, err := istiod(files)
	if err != nil {
		return nil, err
	}
	return ca.below("istiod")
}

// tls.crt tls.key ca.crt: what stands first in ca.crt is handed down as the root.
func certManagerIssuer(files []string) (*authority, error) {
	ca, err := load(files[0], files[1], files[0], files[2])
	if err != nil {
		return nil, err
	}
	if !ca.certificate.IsCA || ca.certificate.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, errors.New("not a CA")
	}
	ca.roots = ca.roots[:1]
	return ca, selfSigned(ca.roots)
}

// status.certificate, the key, status.ca and the request: what an object that asked comes to.
func request(files []string) (*authority, error) {
	ca, err := load(files[0], files[1], files[0], files[2])
	if err != nil {
		return nil, err
	}
	asked, err := os.ReadFile(files[3])
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(asked)
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(csr.RawSubjectPublicKeyInfo, ca.certificate.RawSubjectPublicKeyInfo) {
		return nil, errors.New("the certificate is not the request's")
	}
	for _, sent := range ca.sent {
		if bytes.Equal(sent.RawIssuer, sent.RawSubject) {
			return nil, errors.New("the chain holds the root")
		}
	}
	return ca, selfSigned(ca.roots)
}

// The import's certificate body, the key that the service keeps, and the certificate chain. What
// it signs is the mesh's CA.
func ccmPCA(files []string) (*authority, error) {
	ca, err := load(files[0], files[1], files[0], files[2])
	if err != nil {
		return nil, err
	}
	if err := selfSigned(ca.roots); err != nil {
		return nil, err
	}
	return ca.below("mesh")
}

// UpstreamAuthority "disk": cert_file_path key_file_path bundle_file_path. What it signs is
// SPIRE's own CA.
func spire(files []string) (*authority, error) {
	ca, err := load(files[0], files[1], files[0], files[2])
	if err != nil {
		return nil, err
	}
	if err := ca.verify(ca.certificate, ca.sent, nil); err != nil {
		return nil, err
	}
	return ca.below("SPIRE")
}

// tls.crt tls.key ca-bundle.crt, and what `linkerd check` asks of the algorithms and the time left.
func linkerd(files []string) (*authority, error) {
	ca, err := load(files[0], files[1], files[0], files[2])
	if err != nil {
		return nil, err
	}
	if err := p256(ca.certificate); err != nil {
		return nil, err
	}
	for _, root := range ca.roots {
		switch key := root.PublicKey.(type) {
		case *rsa.PublicKey:
			if bits := key.N.BitLen(); bits != 2048 && bits != 4096 {
				return nil, fmt.Errorf("trust anchor: RSA of %d bits", bits)
			}
		default:
			if err := p256(root); err != nil {
				return nil, fmt.Errorf("trust anchor: %w", err)
			}
		}
	}
	switch ca.certificate.SignatureAlgorithm {
	case x509.ECDSAWithSHA256, x509.SHA256WithRSA:
	default:
		return nil, fmt.Errorf("signed with %v", ca.certificate.SignatureAlgorithm)
	}
	if time.Until(ca.certificate.NotAfter) < 60*24*time.Hour {
		return nil, errors.New("expires within 60 days")
	}
	return ca, ca.verify(ca.certificate, ca.sent, nil)
}

// The file for intermediate/set-signed and the key: the first certificate is the key's, each
// other one the issuer of the one before.
func vault(files []string) (*authority, error) {
	ca, err := pair(files[0], files[1])
	if err != nil {
		return nil, err
	}
	chain, err := certificates(files[0])
	if err != nil {
		return nil, err
	}
	for i := range chain[1:] {
		if err := chain[i].CheckSignatureFrom(chain[i+1]); err != nil {
			return nil, err
		}
	}
	last := len(chain) - 1
	ca.sent, ca.roots = chain[:last], chain[last:]
	return ca, selfSigned(ca.roots)
}

// intermediate_ca.crt intermediate_ca_key root_ca.crt.
func stepCA(files []string) (*authority, error) {
	ca, err := load(files[0], files[1], files[0], files[2])
	if err != nil {
		return nil, err
	}
	return ca, ca.verify(ca.certificate, ca.sent, nil)
}

// The files that most of them read: what is sent above a workload, and who is trusted.
func load(certificate, key, sent, roots string) (*authority, error) {
	ca, err := pair(certificate, key)
	if err != nil {
		return nil, err
	}
	if ca.sent, err = certificates(sent); err != nil {
		return nil, err
	}
	ca.roots, err = certificates(roots)
	return ca, err
}

// The first certificate of a file and the key that belongs to it.
func pair(certificate, key string) (*authority, error) {
	loaded, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	first, err := x509.ParseCertificate(loaded.Certificate[0])
	if err != nil {
		return nil, err
	}
	return &authority{certificate: first, key: loaded.PrivateKey.(crypto.Signer)}, nil
}

// Every block must be a certificate, as the strictest of these readers has it.
func certificates(file string) (found []*x509.Certificate, err error) {
	rest, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if !bytes.HasSuffix(rest, []byte("-----\n")) {
		return nil, fmt.Errorf("%s: does not end with one newline", file)
	}
	for len(rest) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s: holds something else than certificates", file)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		found = append(found, certificate)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: holds no certificate", file)
	}
	return found, nil
}

func selfSigned(roots []*x509.Certificate) error {
	for _, root := range roots {
		if err := root.CheckSignatureFrom(root); err != nil {
			return fmt.Errorf("not a root: %w", err)
		}
	}
	return nil
}

func p256(certificate *x509.Certificate) error {
	if key, ok := certificate.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		return fmt.Errorf("a key that is not of P-256: %v", certificate.PublicKeyAlgorithm)
	}
	return nil
}

func pool(certificates []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, certificate := range certificates {
		pool.AddCert(certificate)
	}
	return pool
}

func (ca *authority) verify(leaf *x509.Certificate, sent []*x509.Certificate, usages []x509.ExtKeyUsage) error {
	options := x509.VerifyOptions{Roots: pool(ca.roots), Intermediates: pool(sent), KeyUsages: usages}
	_, err := leaf.Verify(options)
	return err
}

// Signs a workload, and judges it on both sides of mutual TLS.
func (ca *authority) judge() error {
	id, _ := url.Parse("spiffe://cluster.local/ns/default/sa/workload")
	workload, _, err := ca.sign(&x509.Certificate{
		URIs:        []*url.URL{id},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return err
	}
	for _, usage := range workload.ExtKeyUsage {
		if err := ca.verify(workload, ca.sent, []x509.ExtKeyUsage{usage}); err != nil {
			return fmt.Errorf("a workload: %w", err)
		}
	}
	return nil
}

// The CA that this one signs for itself, and that signs the workloads.
func (ca *authority) below(name string) (*authority, error) {
	certificate, key, err := ca.sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	})
	if err != nil {
		return nil, err
	}
	sent := append([]*x509.Certificate{certificate}, ca.sent...)
	return &authority{certificate: certificate, key: key, sent: sent, roots: ca.roots}, nil
}

func (ca *authority) sign(template *x509.Certificate) (*x509.Certificate, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore = time.Now().Add(-time.Minute)
	template.NotAfter = time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, key.Public(), ca.key)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return certificate, key, err
}
