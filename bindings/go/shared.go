package exhost

import "sync"

// hosts that are open. Executors with the same settings share one: a DMS has one executor
// for each backend, all with the same id and state folder.
var hosts = struct {
	sync.Mutex
	open map[hostKey]*host
}{open: map[hostKey]*host{}}

func acquireHost(key hostKey) (*host, error) {
	hosts.Lock()
	defer hosts.Unlock()
	if h := hosts.open[key]; h != nil {
		h.users++
		return h, nil
	}
	h, err := newHost(key)
	if err != nil {
		return nil, err
	}
	h.users = 1
	hosts.open[key] = h
	return h, nil
}

func releaseHost(h *host) {
	hosts.Lock()
	h.users--
	last := h.users == 0
	if last {
		delete(hosts.open, h.key)
	}
	hosts.Unlock()
	if last {
		h.close()
	}
}
