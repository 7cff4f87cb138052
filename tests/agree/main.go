// Judges chains and CRLs with Go's standard library, as istiod judges a plugged-in CA's files:
// for each folder named, one line of what was found.
package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

func blocks(folder, name string) (found [][]byte) {
	rest, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		panic(err)
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return found
		}
		found = append(found, block.Bytes)
	}
}

func judge(folder string) error {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, der := range blocks(folder, "bundle.pem") {
		root, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		roots.AddCert(root)
	}
	var leaf *x509.Certificate
	for _, der := range blocks(folder, "chain.pem") {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		if leaf == nil {
			leaf = certificate
		} else {
			intermediates.AddCert(certificate)
		}
	}
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	options := x509.VerifyOptions{Roots: roots, Intermediates: intermediates, KeyUsages: usages}
	chains, err := leaf.Verify(options)
	if err != nil {
		return err
	}
	var lists []*x509.RevocationList
	for _, der := range blocks(folder, "crl.pem") {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return err
		}
		lists = append(lists, list)
	}
	for _, chain := range chains {
		if err = revocation(chain, lists); err == nil {
			return nil
		}
	}
	return err
}

// Every CA of the chain must have a CRL that its key signed, and none of these may hold what
// stands below. istiod asks no more: not whether it is in force, nor whose name it bears.
func revocation(chain []*x509.Certificate, lists []*x509.RevocationList) error {
	for i, certificate := range chain[:len(chain)-1] {
		signed := errors.New("missing CRL")
		for _, list := range lists {
			if list.CheckSignatureFrom(chain[i+1]) != nil {
				continue
			}
			signed = nil
			for _, entry := range list.RevokedCertificates {
				if entry.SerialNumber.Cmp(certificate.SerialNumber) == 0 {
					return errors.New("revoked")
				}
			}
		}
		if signed != nil {
			return signed
		}
	}
	return nil
}

func main() {
	for _, folder := range os.Args[1:] {
		if err := judge(folder); err != nil {
			fmt.Printf("refused: %q\n", err.Error())
		} else {
			fmt.Println("accepted")
		}
	}
}
