package tlsconfig

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

// maxIterations bounds PBKDF2's work for a key file; common tools write 2,048 to a
// few hundred thousand.
const maxIterations = 10_000_000

// privateKey reads a PEM private key: PKCS #8, encrypted PKCS #8, PKCS #1 or SEC 1.
func privateKey(block *pem.Block, password value) (crypto.PrivateKey, error) {
	der := block.Bytes
	if block.Headers["DEK-Info"] != "" {
		return nil, errors.New("its old encrypted form is not supported; convert it with: openssl pkcs8 -topk8")
	}
	switch block.Type {
	case "ENCRYPTED PRIVATE KEY":
		if password.null {
			return nil, errors.New("it is encrypted and ssl.key.password is not set")
		}
		var err error
		if der, err = decryptPKCS8(der, password.text); err != nil {
			return nil, err
		}
		key, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, errors.New("ssl.key.password is wrong")
		}
		return key, nil
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(der)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(der)
	default:
		return x509.ParsePKCS8PrivateKey(der)
	}
}

// matches tells whether key is the one whose public half cert holds.
func matches(key crypto.PrivateKey, cert *x509.Certificate) bool {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return false
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(cert.PublicKey)
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

// prf is a pseudo-random function of PBKDF2, by the last number of its identifier
// below 1.2.840.113549.2.
func prf(oid asn1.ObjectIdentifier) func() hash.Hash {
	switch oid.String() {
	case "", "1.2.840.113549.2.7":
		return sha1.New
	case "1.2.840.113549.2.8":
		return sha256.New224
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return nil
}

// blockCipher returns the constructor and the key's length of an encryption scheme.
func blockCipher(oid asn1.ObjectIdentifier) (func([]byte) (cipher.Block, error), int) {
	switch oid.String() {
	case "2.16.840.1.101.3.4.1.2":
		return aes.NewCipher, 16
	case "2.16.840.1.101.3.4.1.22":
		return aes.NewCipher, 24
	case "2.16.840.1.101.3.4.1.42":
		return aes.NewCipher, 32
	case "1.2.840.113549.3.7":
		return des.NewTripleDESCipher, 24
	}
	return nil, 0
}

// decryptPKCS8 undoes PBES2 (RFC 8018) with PBKDF2 and a block cipher in CBC mode,
// which is what current tools write. Its errors never hold the password.
func decryptPKCS8(der []byte, password string) ([]byte, error) {
	var outer struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return nil, fmt.Errorf("reading its encryption: %w", err)
	}
	if !outer.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, fmt.Errorf("its encryption %v is not supported, only PBES2 is; convert it with: openssl pkcs8 -topk8 -v2 aes256", outer.Algorithm.Algorithm)
	}
	var params struct {
		KDF, Scheme pkix.AlgorithmIdentifier
	}
	if _, err := asn1.Unmarshal(outer.Algorithm.Parameters.FullBytes, &params); err != nil {
		return nil, fmt.Errorf("reading its encryption: %w", err)
	}
	if !params.KDF.Algorithm.Equal(oidPBKDF2) {
		return nil, fmt.Errorf("its key derivation %v is not supported, only PBKDF2 is", params.KDF.Algorithm)
	}
	var kdf struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(params.KDF.Parameters.FullBytes, &kdf); err != nil {
		return nil, fmt.Errorf("reading its key derivation: %w", err)
	}
	newHash := prf(kdf.PRF.Algorithm)
	newCipher, size := blockCipher(params.Scheme.Algorithm)
	if newHash == nil || newCipher == nil || kdf.Iterations < 1 || kdf.Iterations > maxIterations {
		return nil, fmt.Errorf("its encryption (%v with %v, %d rounds) is not supported", params.Scheme.Algorithm, kdf.PRF.Algorithm, kdf.Iterations)
	}
	var iv []byte
	if _, err := asn1.Unmarshal(params.Scheme.Parameters.FullBytes, &iv); err != nil {
		return nil, fmt.Errorf("reading its encryption: %w", err)
	}
	key, err := pbkdf2.Key(newHash, password, kdf.Salt, kdf.Iterations, size)
	if err != nil {
		return nil, fmt.Errorf("deriving its key: %w", err)
	}
	block, err := newCipher(key)
	if err != nil {
		return nil, err
	}
	n := block.BlockSize()
	if len(iv) != n || len(outer.Data) == 0 || len(outer.Data)%n != 0 {
		return nil, errors.New("its encrypted part is cut off")
	}
	plain := make([]byte, len(outer.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, outer.Data)
	// Padding is checked only as far as the length needs it: a wrong password also
	// shows when the key is parsed.
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > n {
		return nil, errors.New("ssl.key.password is wrong")
	}
	return plain[:len(plain)-pad], nil
}
