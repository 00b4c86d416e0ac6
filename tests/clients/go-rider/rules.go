package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// The rules of docs/clients.md.
const (
	attemptTimeout = 5 * time.Second  // of one attempt of a unary call
	giveUpAfter    = 30 * time.Second // the last attempt begins by then
	silence        = 12 * time.Second // a stream without a message for this long is dead
	firstWait      = 100 * time.Millisecond
	longestWait    = 2 * time.Second
)

// failure is what a client has to know of an error.
type failure struct {
	Code       codes.Code
	Reason     string // from Hail's ErrorInfo; empty for an error that does not come from Hail
	RetryAfter time.Duration
}

func failureOf(err error) failure {
	s := status.Convert(err)
	f := failure{Code: s.Code()}
	for _, detail := range s.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.Domain == "hail" {
				f.Reason = detail.Reason
			}
		case *errdetails.RetryInfo:
			f.RetryAfter = detail.RetryDelay.AsDuration()
		}
	}
	return f
}

// isAnswer reports whether this is Hail's answer, which stays. After any other error the call or stream is repeated.
func (f failure) isAnswer() bool {
	switch f.Code {
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Canceled:
		return false
	}
	return f.Reason != ""
}

// backoff counts the waits before further attempts. The zero value is ready.
type backoff struct{ last time.Duration }

func (b *backoff) reset() { b.last = 0 }

func (b *backoff) next(atLeast time.Duration) time.Duration {
	b.last = min(max(2*b.last, firstWait), longestWait)
	return max(time.Duration(float64(b.last)*(0.5+rand.Float64()/2)), atLeast)
}

// retry repeats a unary call until it has an answer.
func retry[Request, Response any](ctx context.Context, call func(context.Context, Request, ...grpc.CallOption) (Response, error),
	request Request) (Response, error) {
	var wait backoff
	for began := time.Now(); ; {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		response, err := call(attempt, request)
		cancel()
		failure := failureOf(err)
		if err == nil || failure.isAnswer() || ctx.Err() != nil || time.Since(began) > giveUpAfter {
			return response, err
		}
		sleep(ctx, wait.next(failure.RetryAfter))
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// connect opens the one channel that an app needs.
func connect(address, ca, tokenFile string, plaintext bool) (*grpc.ClientConn, error) {
	security := insecure.NewCredentials()
	if !plaintext {
		config := &tls.Config{}
		if ca != "" {
			pem, err := os.ReadFile(ca)
			if err != nil {
				return nil, err
			}
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("%s holds no certificate", ca)
			}
		}
		security = credentials.NewTLS(config)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(security),
		grpc.WithDisableRetry(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           grpcbackoff.Config{BaseDelay: firstWait, Multiplier: 2, Jitter: 0.2, MaxDelay: longestWait},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
	}
	if tokenFile != "" {
		options = append(options, grpc.WithPerRPCCredentials(token{tokenFile, plaintext}))
	}
	return grpc.NewClient(address, options...)
}

// token is read for each call, because a token expires and another program renews it.
type token struct {
	file      string
	plaintext bool
}

func (t token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	text, err := os.ReadFile(t.file)
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + strings.TrimSpace(string(text))}, nil
}

func (t token) RequireTransportSecurity() bool { return !t.plaintext }
