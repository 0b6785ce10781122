package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// Files in the directory of secrets.
const (
	nkeySeed, nkeyPublic       = "/nkey.seed", "/nkey.public"
	caCert, cert, certKey      = "/ca.pem", "/cert.pem", "/key.pem" // one certificate for both sides
	operatorJWT, systemAccount = "/operator.jwt", "/system.account"
	accountJWT, accountID      = "/account.jwt", "/account.id"
	systemJWT, userCredentials = "/system.jwt", "/user.creds"
)

func write(path string, data []byte) error { return os.WriteFile(path, data, 0o600) }

func read(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func makeSecrets(dir string) error {
	return errors.Join(makeNKey(dir), makeCertificates(dir), makeCredentials(dir))
}

func makeNKey(dir string) error {
	user, err := nkeys.CreateUser()
	if err != nil {
		return err
	}
	seed, _ := user.Seed()
	public, _ := user.PublicKey()
	return errors.Join(write(dir+nkeySeed, seed), write(dir+nkeyPublic, []byte(public)))
}

func useNKey(opts *server.Options, dir string) error {
	opts.Nkeys = []*server.NkeyUser{{Nkey: read(dir + nkeyPublic)}}
	return nil
}

func makeCertificates(dir string) error {
	template := func(number int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := template(1, "the tests' own authority")
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := template(2, "localhost")
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	file := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return errors.Join(write(dir+caCert, file("CERTIFICATE", caDER)), write(dir+cert, file("CERTIFICATE", leafDER)),
		write(dir+certKey, file("PRIVATE KEY", keyDER)))
}

func useTLS(opts *server.Options, dir string) error {
	pair, err := tls.LoadX509KeyPair(dir+cert, dir+certKey)
	if err != nil {
		return err
	}
	authority := x509.NewCertPool()
	authority.AppendCertsFromPEM([]byte(read(dir + caCert)))
	opts.TLS, opts.TLSVerify, opts.TLSTimeout = true, true, 5
	opts.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: authority, ClientAuth: tls.RequireAndVerifyClientCert}
	return nil
}

// makeCredentials makes an operator, a system account, an account with JetStream, and a user of it.
func makeCredentials(dir string) error {
	operator, err := nkeys.CreateOperator()
	if err != nil {
		return err
	}
	operatorID, _ := operator.PublicKey()
	account := func() (nkeys.KeyPair, *jwt.AccountClaims) {
		key, _ := nkeys.CreateAccount()
		id, _ := key.PublicKey()
		return key, jwt.NewAccountClaims(id)
	}
	_, system := account()
	owner, claims := account()
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit,
		Consumer: jwt.NoLimit}
	operatorClaims := jwt.NewOperatorClaims(operatorID)
	operatorClaims.SystemAccount = system.Subject
	user, _ := nkeys.CreateUser()
	userID, _ := user.PublicKey()
	userToken, err := jwt.NewUserClaims(userID).Encode(owner)
	if err != nil {
		return err
	}
	seed, _ := user.Seed()
	file, err := jwt.FormatUserConfig(userToken, seed)
	if err != nil {
		return err
	}
	operatorToken, err1 := operatorClaims.Encode(operator)
	systemToken, err2 := system.Encode(operator)
	accountToken, err3 := claims.Encode(operator)
	return errors.Join(err1, err2, err3, write(dir+userCredentials, file), write(dir+operatorJWT, []byte(operatorToken)),
		write(dir+systemJWT, []byte(systemToken)), write(dir+systemAccount, []byte(system.Subject)),
		write(dir+accountJWT, []byte(accountToken)), write(dir+accountID, []byte(claims.Subject)))
}

func useCredentials(opts *server.Options, dir string) error {
	operator, err := jwt.DecodeOperatorClaims(read(dir + operatorJWT))
	if err != nil {
		return err
	}
	resolver := &server.MemAccResolver{}
	opts.TrustedOperators = []*jwt.OperatorClaims{operator}
	opts.SystemAccount, opts.AccountResolver = read(dir+systemAccount), resolver
	return errors.Join(resolver.Store(read(dir+systemAccount), read(dir+systemJWT)),
		resolver.Store(read(dir+accountID), read(dir+accountJWT)))
}
