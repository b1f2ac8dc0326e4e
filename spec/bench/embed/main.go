// Figures of the library from Go, each beside its baseline from the same run: a JSON call
// over a unix socket to a server in Go, in a process of its own.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	exhost "github.com/exhost/exhost/bindings/go"
)

const (
	rounds, perRound    = 15, 400
	goroutines, perEach = 1000, 50
	waits               = 5000
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func line(name, format string, args ...any) {
	fmt.Printf("%-64s "+format+"\n", append([]any{name}, args...)...)
}

func median(list []float64) float64 {
	sort.Float64s(list)
	return list[len(list)/2]
}

type message struct {
	ID     int            `json:"id"`
	Method string         `json:"method,omitempty"`
	Params map[string]any `json:"params,omitempty"`
	Result map[string]any `json:"result,omitempty"`
}

// serve answers each connection's calls in order.
func serve(path string) {
	go func() { // ends with who measures
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	listener, err := net.Listen("unix", path)
	check(err)
	fmt.Println("ready")
	for {
		conn, err := listener.Accept()
		check(err)
		go func() {
			in, out := json.NewDecoder(bufio.NewReader(conn)), json.NewEncoder(conn)
			for {
				var m message
				if in.Decode(&m) != nil {
					return
				}
				check(out.Encode(message{ID: m.ID, Result: map[string]any{"id": "bench"}}))
			}
		}()
	}
}

// startServer gives a function that makes one call.
func startServer(folder string) func() {
	path := filepath.Join(folder, "server.sock")
	server := exec.Command(os.Args[0], "serve", path)
	pipe, err := server.StdoutPipe()
	check(err)
	stdin, err := server.StdinPipe()
	check(err)
	check(server.Start())
	bufio.NewReader(pipe).ReadString('\n')
	conn, err := net.Dial("unix", path)
	check(err)
	in, out := json.NewDecoder(bufio.NewReader(conn)), json.NewEncoder(conn)
	id := 0
	return func() {
		id++
		check(out.Encode(message{ID: id, Method: "id",
			Params: map[string]any{"backend": "process"}}))
		var m message
		check(in.Decode(&m))
		runtime.KeepAlive(stdin) // collected, it would close
	}
}

func each(call func()) float64 {
	began := time.Now()
	for i := 0; i < perRound; i++ {
		call()
	}
	return float64(time.Since(began).Microseconds()) / perRound
}

// field reads a number of /proc/self/FILE.
func field(file, name string) int {
	content, err := os.ReadFile("/proc/self/" + file)
	check(err)
	for _, text := range strings.Split(string(content), "\n") {
		if strings.HasPrefix(text, name+":") {
			value, err := strconv.Atoi(strings.Fields(text)[1])
			check(err)
			return value
		}
	}
	return 0
}

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2])
	}
	folder, ctx := os.Args[1], context.Background()
	e, err := exhost.NewExecutor(ctx, "bench", exhost.Options{StateDir: folder + "/state"})
	check(err)
	call := func() {
		var answer struct{ ID string }
		check(e.Call(ctx, "id", nil, &answer))
	}

	socket := startServer(folder)
	var own, other []float64
	for i := 0; i < rounds; i++ {
		own, other = append(own, each(call)), append(other, each(socket))
	}
	line("Go: one call, one after the other, p50", "%.1f us (unix socket %.1f us, ratio %.2f)",
		median(own), median(other), median(own)/median(other))

	own = nil
	for i := 0; i < 5; i++ {
		var all sync.WaitGroup
		all.Add(goroutines)
		began := time.Now()
		for g := 0; g < goroutines; g++ {
			go func() {
				defer all.Done()
				for n := 0; n < perEach; n++ {
					call()
				}
			}()
		}
		all.Wait()
		own = append(own, float64(time.Since(began).Microseconds())/(goroutines*perEach))
	}
	line(fmt.Sprintf("Go: a call, %d goroutines", goroutines), "%.2f us", median(own))

	check(e.Start(ctx, &exhost.ExecutionRequest{ExecutionID: "parked",
		EngineSpec: exhost.NewEngineBuilder("process").WithCmd("sleep", "600").Build()}))
	runtime.GC()
	before := field("smaps_rollup", "Pss_Anon")
	soon, cancel := context.WithCancel(ctx)
	var failures []<-chan error
	for i := 0; i < waits; i++ {
		_, failed := e.Wait(soon, "parked")
		failures = append(failures, failed)
	}
	for i := 0; i < 3; i++ {
		call() // behind all of them
		time.Sleep(200 * time.Millisecond)
	}
	line(fmt.Sprintf("Go: %d parked waits", waits), "%d threads, %.1f MB more",
		field("status", "Threads"), float64(field("smaps_rollup", "Pss_Anon")-before)/1000)
	cancel()
	for _, failed := range failures {
		<-failed
	}
	check(e.Cleanup(ctx))
	check(e.Close())
}
