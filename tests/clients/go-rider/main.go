// A rider's app in Go: it quotes a ride, requests it and watches it to its end, by the rules of docs/clients.md.
//
// Generate the code of the contract into gen/ (buf from npm or with `go install github.com/bufbuild/buf/cmd/buf@v1.75.0`)
// and build:
//
//	buf generate
//	go build
//
// With the services on this machine, and a driver online:
//
//	./go-rider --address 127.0.0.1:50051 --insecure --id ada
//
// Through an edge with TLS and tokens, where the id must be the token's subject:
//
//	./go-rider --address localhost:8443 --ca ca.crt --token-file ada.jwt --id ada
//
// It prints one line of JSON for each message. rules.go has what every client needs: which errors are answers, how
// often to repeat, the channel. This file has the ride. A watch that breaks resumes after the last event received,
// so each event is printed once.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/signal"
	"time"

	"google.golang.org/grpc/status"

	riderv1 "example.com/go-rider/gen/hail/rider/v1"
	typev1 "example.com/go-rider/gen/hail/type/v1"
)

var (
	ferryBuilding = &typev1.Place{Position: &typev1.LatLng{LatitudeDeg: 37.7955, LongitudeDeg: -122.3937}, Address: "Ferry Building"}
	unionSquare   = &typev1.Place{Position: &typev1.LatLng{LatitudeDeg: 37.7879, LongitudeDeg: -122.4075}, Address: "Union Square"}
)

type line map[string]any

func emit(l line) { json.NewEncoder(os.Stdout).Encode(l) }

type rider struct {
	client riderv1.RiderServiceClient
	id     string
}

// request takes the first price offered for the trip.
func (r *rider) request(ctx context.Context) (*typev1.Ride, error) {
	quotes, err := retry(ctx, r.client.QuoteRide, &riderv1.QuoteRideRequest{
		RiderId: r.id, Pickup: ferryBuilding, Dropoff: unionSquare, ProductId: "economy"})
	if err != nil {
		return nil, err
	}
	quote := quotes.Quotes[0]
	emit(line{"kind": "quote", "product": quote.ProductId, "micros": quote.Fare.Micros, "currency": quote.Fare.CurrencyCode})

	// All attempts have the same request_id, so there is at most one ride.
	response, err := retry(ctx, r.client.RequestRide, &riderv1.RequestRideRequest{
		RiderId: r.id, RequestId: rand.Text(), Pickup: ferryBuilding, Dropoff: unionSquare,
		ProductId: quote.ProductId, QuoteToken: quote.QuoteToken})
	if err != nil {
		return nil, err
	}
	ride := response.Ride
	emit(line{"kind": "ride", "ride_id": ride.RideId, "sequence": ride.Sequence, "state": ride.State.String()})
	return ride, nil
}

// watch follows the ride to its end, on as many streams as it takes, and returns the ride as it ended.
func (r *rider) watch(ctx context.Context, ride *typev1.Ride) (*typev1.Ride, error) {
	w := watch{rider: r, ride: ride, after: &ride.Sequence}
	for {
		err := w.stream(ctx)
		failure := failureOf(err)
		if w.ride.EndTime != nil {
			return w.ride, nil
		}
		if ctx.Err() != nil || failure.isAnswer() {
			return w.ride, err
		}
		wait := w.wait.next(failure.RetryAfter)
		if w.draining != nil {
			wait, w.draining = w.draining.RetryAfter.AsDuration(), nil
		}
		emit(line{"kind": "resume", "after": w.after, "code": failure.Code.String()})
		sleep(ctx, wait)
	}
}

// watch is a watch across its streams.
type watch struct {
	rider    *rider
	ride     *typev1.Ride
	after    *int64 // the cursor; nil asks for a snapshot
	draining *typev1.Draining
	wait     backoff
}

// stream reads one stream until it ends. No error: it ended with OK.
func (w *watch) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dead := time.AfterFunc(silence, cancel)
	defer dead.Stop()
	stream, err := w.rider.client.WatchRide(ctx, &riderv1.WatchRideRequest{
		RiderId: w.rider.id, RideId: w.ride.RideId, AfterSequence: w.after})
	if err != nil {
		return err
	}
	for {
		response, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		dead.Reset(silence)
		w.wait.reset()
		switch m := response.Message.(type) {
		case *riderv1.WatchRideResponse_Snapshot:
			w.ride, w.after = m.Snapshot, &m.Snapshot.Sequence
			emit(line{"kind": "snapshot", "sequence": m.Snapshot.Sequence, "state": m.Snapshot.State.String()})
		case *riderv1.WatchRideResponse_Event:
			w.ride, w.after = m.Event.Ride, &m.Event.Sequence
			emit(line{"kind": "event", "sequence": m.Event.Sequence, "type": m.Event.Type.String(), "state": m.Event.Ride.State.String()})
		case *riderv1.WatchRideResponse_Telemetry:
			// With missing_since, the car's position is the last known one, or unset.
			at := m.Telemetry.Position.GetLocation()
			emit(line{"kind": "telemetry", "latitude": at.GetLatitudeDeg(), "longitude": at.GetLongitudeDeg(),
				"missing": m.Telemetry.MissingSince != nil})
		case *riderv1.WatchRideResponse_StartOver:
			w.after = nil
		case *riderv1.WatchRideResponse_Draining:
			w.draining = m.Draining
		default:
			// Heartbeats and caught_up call for nothing. Messages of a later version are skipped.
		}
	}
}

func main() {
	address := flag.String("address", "", "HOST:PORT of rider-service or of an edge")
	ca := flag.String("ca", "", "PEM file of the certificate authority, instead of the system's")
	tokenFile := flag.String("token-file", "", "file with the rider's token")
	plaintext := flag.Bool("insecure", false, "without TLS")
	id := flag.String("id", "ada-"+rand.Text()[:6], "the rider")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	channel, err := connect(*address, *ca, *tokenFile, *plaintext)
	if err != nil {
		fail(err)
	}
	defer channel.Close()

	r := &rider{riderv1.NewRiderServiceClient(channel), *id}
	ride, err := r.request(ctx)
	if err != nil {
		fail(err)
	}
	ride, err = r.watch(ctx, ride)
	if err != nil {
		fail(err)
	}
	emit(line{"kind": "end", "state": ride.State.String(), "micros": ride.Fare.GetFinal().GetMicros()})
}

func fail(err error) {
	failure := failureOf(err)
	emit(line{"kind": "error", "code": failure.Code.String(), "reason": failure.Reason, "message": status.Convert(err).Message()})
	os.Exit(1)
}
