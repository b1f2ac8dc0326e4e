package exhost

// watcher cancels calls when their context ends: one goroutine for all that share it.
type watcher struct {
	tags map[uint64]struct{}
	idle chan struct{} // closed when no call is left
}

// watch cancels a wait when its context ends, unless it was answered.
func (h *host) watch(wait *pendingWait) {
	done := wait.ctx.Done()
	if done == nil {
		return
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	if wait.answered {
		return
	}
	w := h.watched[done]
	if w == nil {
		w = &watcher{tags: map[uint64]struct{}{}, idle: make(chan struct{})}
		h.watched[done] = w
		go h.cancelAfter(done, w)
	}
	w.tags[wait.tag] = struct{}{}
}

func (h *host) unwatch(wait *pendingWait) {
	done := wait.ctx.Done()
	h.lock.Lock()
	defer h.lock.Unlock()
	wait.answered = true
	w := h.watched[done]
	if w == nil {
		return
	}
	delete(w.tags, wait.tag)
	if len(w.tags) == 0 {
		delete(h.watched, done)
		close(w.idle)
	}
}

func (h *host) cancelAfter(done <-chan struct{}, w *watcher) {
	select {
	case <-w.idle:
		return
	case <-done:
	}
	h.lock.Lock()
	if h.watched[done] == w {
		delete(h.watched, done)
	}
	tags := w.tags
	w.tags = nil // idle is not closed any more: nobody finds w
	h.lock.Unlock()
	for tag := range tags {
		h.cancel(tag)
	}
}
