// load: POSTs signed bodies over keep-alive connections, from one thread, and tells how long answers took.
//
// Without -rate every connection sends again as soon as it is answered. With it requests are due at a fixed rate, whatever
// the answers do, and a latency begins when its request was due. All answers are waited for in the end.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const answersWaitedFor = 30 * time.Second

type connection struct {
	fd      int
	since   time.Time
	heard   []byte
}

type sender struct {
	requests [][]byte
	next     int
	epoll    int
	timer    int
	all      map[int]*connection
	free     []*connection
	tookUs   []int64
	statuses map[int]int
	broken   int
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "HOST:PORT")
	path := flag.String("path", "/ingest", "path")
	file := flag.String("bodies", "bodies.jsonl", "one body a line")
	key := flag.String("key", "", "of the HMAC-SHA1 in X-Signature; none: not signed")
	connections := flag.Int("c", 64, "connections")
	rate := flag.Float64("rate", 0, "requests per second; 0: as fast as they are answered")
	seconds := flag.Float64("d", 10, "how long to send")
	flag.Parse()
	runtime.LockOSThread()
	s := &sender{requests: requests(*path, *file, *key), all: map[int]*connection{}, statuses: map[int]int{}}
	s.connect(*addr, *connections)
	began := time.Now()
	end := began.Add(time.Duration(*seconds * 1e9))
	if *rate > 0 {
		s.paced(began, end, time.Duration(1e9 / *rate))
	} else {
		s.closed(end)
	}
	s.report(time.Since(began))
}

func requests(path, file, key string) [][]byte {
	raw, err := os.ReadFile(file)
	must(err)
	var all [][]byte
	for _, body := range bytes.Split(bytes.TrimSpace(raw), []byte("\n")) {
		signature := ""
		if key != "" {
			digest := hmac.New(sha1.New, []byte(key))
			digest.Write(body)
			signature = "X-Signature: " + base64.StdEncoding.EncodeToString(digest.Sum(nil)) + "\r\n"
		}
		head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: ingest\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n",
			path, signature, len(body))
		all = append(all, append([]byte(head), body...))
	}
	return all
}

func (s *sender) connect(addr string, count int) {
	var err error
	s.epoll, err = unix.EpollCreate1(0)
	must(err)
	target, err := net.ResolveTCPAddr("tcp4", addr)
	must(err)
	for range count {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		must(err)
		must(unix.Connect(fd, &unix.SockaddrInet4{Port: target.Port, Addr: [4]byte(target.IP.To4())}))
		must(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
		must(unix.SetNonblock(fd, true))
		must(unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}))
		c := &connection{fd: fd}
		s.all[fd] = c
		s.free = append(s.free, c)
	}
}

func (s *sender) closed(end time.Time) {
	now := time.Now()
	for len(s.free) > 0 {
		s.send(s.free[len(s.free)-1], now)
	}
	for busy := len(s.all); busy > 0; {
		if !s.wait(end) {
			return
		}
		now = time.Now()
		for len(s.free) > 0 && now.Before(end) {
			s.send(s.free[len(s.free)-1], now)
		}
		busy = len(s.all) - len(s.free)
	}
}

func (s *sender) paced(began, end time.Time, gap time.Duration) {
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK)
	must(err)
	must(unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, timer, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(timer)}))
	s.timer = timer
	for due := began; ; {
		now := time.Now()
		for ; len(s.free) > 0 && due.Before(end) && !due.After(now); due = due.Add(gap) {
			s.send(s.free[len(s.free)-1], due)
		}
		if !due.Before(end) && len(s.free) == len(s.all) {
			return
		}
		if due.Before(end) && due.After(now) {
			spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(due.Sub(now)))}
			must(unix.TimerfdSettime(timer, 0, &spec, nil))
		}
		if !s.wait(end) {
			return
		}
	}
}

// wait handles what has arrived; false where answers are overdue.
func (s *sender) wait(end time.Time) bool {
	var events [256]unix.EpollEvent
	n, err := unix.EpollWait(s.epoll, events[:], 1000)
	if err != nil && err != unix.EINTR {
		panic(err)
	}
	for _, event := range events[:max(n, 0)] {
		if int(event.Fd) == s.timer && s.timer != 0 {
			var ticks [8]byte
			unix.Read(s.timer, ticks[:])
		} else {
			s.read(s.all[int(event.Fd)])
		}
	}
	return time.Since(end) < answersWaitedFor
}

func (s *sender) send(c *connection, since time.Time) {
	s.free = s.free[:len(s.free)-1]
	request := s.requests[s.next%len(s.requests)]
	s.next++
	c.since = since
	if n, err := unix.Write(c.fd, request); err != nil || n != len(request) {
		s.lose(c)
	}
}

func (s *sender) read(c *connection) {
	var buffer [16384]byte
	n, err := unix.Read(c.fd, buffer[:])
	if err == unix.EAGAIN {
		return
	}
	if err != nil || n <= 0 {
		s.lose(c)
		return
	}
	c.heard = append(c.heard, buffer[:n]...)
	status, size := answer(c.heard)
	if size == 0 || len(c.heard) < size {
		return
	}
	c.heard = c.heard[:0]
	s.statuses[status]++
	s.tookUs = append(s.tookUs, time.Since(c.since).Microseconds())
	s.free = append(s.free, c)
}

func (s *sender) lose(c *connection) {
	s.broken++
	unix.Close(c.fd)
	delete(s.all, c.fd)
}

// answer returns the status and the size of an answer whose head is here, else zeros.
func answer(heard []byte) (status, size int) {
	end := bytes.Index(heard, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, 0
	}
	head := bytes.ToLower(heard[:end+2])
	status, _ = strconv.Atoi(string(head[9:12]))
	length := 0
	if at := bytes.Index(head, []byte("content-length:")); at >= 0 {
		value, _, _ := bytes.Cut(head[at+15:], []byte("\r\n"))
		length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
	}
	return status, end + 4 + length
}

func (s *sender) report(took time.Duration) {
	slices.Sort(s.tookUs)
	quantile := func(share float64) float64 {
		if len(s.tookUs) == 0 {
			return 0
		}
		return float64(s.tookUs[min(len(s.tookUs)-1, int(float64(len(s.tookUs))*share))]) / 1000
	}
	other := 0
	for status, count := range s.statuses {
		if status != 200 {
			other += count
		}
	}
	must(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"acknowledged": s.statuses[200], "refused": other, "broken": s.broken, "seconds": took.Seconds(),
		"p50_ms": quantile(.5), "p99_ms": quantile(.99), "max_ms": quantile(1),
	}))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
