// A gRPC application without a proxy: it finds its server by xDS, with gRPC's own client for Go. Each line on standard input is one call; its answer is a line of output.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	_ "google.golang.org/grpc/xds"
)

func proxylessCommand(arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("say what to call, as in xds:///greeter")
	}
	conn, err := grpc.NewClient(arguments[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println(call(conn, lines.Text()))
	}
	return lines.Err()
}

func call(conn *grpc.ClientConn, text string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var heard []byte
	said := []byte(text)
	if err := conn.Invoke(ctx, "/test.Echo/Say", &said, &heard, grpc.ForceCodecV2(asItIs{})); err != nil {
		return fmt.Sprintf("error %d: %s", status.Code(err), status.Convert(err).Message())
	}
	return string(heard)
}

// asItIs sends bytes as they are.
type asItIs struct{}

var _ encoding.CodecV2 = asItIs{}

func (asItIs) Name() string { return "bytes" }

func (asItIs) Marshal(message any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*message.(*[]byte))}, nil
}

func (asItIs) Unmarshal(data mem.BufferSlice, message any) error {
	*message.(*[]byte) = data.Materialize()
	return nil
}
