package catalog

// Seats returns how many seats the plans in memory have.
func (c *Catalog) Seats() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seats
}
