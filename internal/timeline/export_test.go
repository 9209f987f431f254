package timeline

// Pumps counts the goroutines of the log.
func (l *Log[E]) Pumps() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pumps
}
