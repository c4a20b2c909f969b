// How a client of the control plane connects: in plaintext, or by TLS with a bearer token, as istioctl and proxies do.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"math"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// target is a control plane's port and what is shown there. Without a root certificate file the port is a plaintext one.
type target struct {
	address, rootFile, token string
	// istioctl verifies nothing when it brings a token.
	insecure bool
}

func (t *target) define(flags *flag.FlagSet) {
	flags.StringVar(&t.address, "address", "", "host:port of the control plane")
	flags.StringVar(&t.rootFile, "root", "", "PEM file of the root certificate; without one, plaintext")
	flags.StringVar(&t.token, "token", "", "bearer token, for TLS")
	flags.BoolVar(&t.insecure, "insecure", false, "TLS without verification")
}

func (t *target) dial() (*grpc.ClientConn, error) {
	options := []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32))}
	if t.rootFile == "" && !t.insecure {
		return grpc.NewClient(t.address, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: t.insecure}
	if t.rootFile != "" {
		pem, err := os.ReadFile(t.rootFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("no certificate in " + t.rootFile)
		}
	}
	options = append(options, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if t.token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(t.token)))
	}
	return grpc.NewClient(t.address, options...)
}

type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }
