package main

import (
	"encoding/binary"
	"os"
	"sort"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// runRate is an open loop: request k is due at begin + k/rps, whatever became of the others. A due request waits for a
// free connection, and its latency counts from the time at which it was due, so that a proxy that stalls is charged for
// every request that it kept waiting (no coordinated omission).
func runRate(pool []*client, rps float64, span time.Duration) result {
	total := int(rps * span.Seconds())
	if total < 1 {
		total = 1
	}
	due := make(chan time.Time, total)
	go clockOut(due, total, time.Duration(float64(time.Second)/rps))

	var lock sync.Mutex
	latencies := make([]float64, 0, total)
	out := each(pool, func(c *client) {
		mine := make([]float64, 0, total/len(pool)*2+16)
		for intended := range due {
			before := c.requests
			c.ask()
			if c.requests > before {
				mine = append(mine, float64(time.Since(intended).Nanoseconds())/1e3)
			}
		}
		lock.Lock()
		latencies = append(latencies, mine...)
		lock.Unlock()
	})
	sort.Float64s(latencies)
	if n := len(latencies); n > 0 {
		out.P50Us, out.P99Us, out.MaxUs = latencies[n/2], latencies[n*99/100], latencies[n-1]
	}
	return out
}

// clockOut puts the due times on the channel, each when its time has come. A timerfd in Go's poller wakes it within
// microseconds; Go's own timers are only good to a millisecond when nothing else runs.
func clockOut(due chan<- time.Time, total int, interval time.Duration) {
	defer close(due)
	const monotonic, nonblock, cloexec = 1, 0x800, 0x80000
	fd, _, failed := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, monotonic, nonblock|cloexec, 0)
	if failed != 0 {
		fail("timerfd_create: " + failed.Error())
	}
	timer := os.NewFile(fd, "timerfd")
	defer timer.Close()
	period := syscall.NsecToTimespec(interval.Nanoseconds())
	setting := [2]syscall.Timespec{period, period}
	begin := time.Now()
	if _, _, failed := syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&setting)), 0, 0, 0); failed != 0 {
		fail("timerfd_settime: " + failed.Error())
	}
	expired := make([]byte, 8)
	for sent := 0; sent < total; {
		if _, err := timer.Read(expired); err != nil {
			fail("timerfd: " + err.Error())
		}
		for n := binary.LittleEndian.Uint64(expired); n > 0 && sent < total; n-- {
			sent++
			due <- begin.Add(time.Duration(sent) * interval)
		}
	}
}
