package bestavailable

// source is where a search finds adjacent groups of one class: in the cells of a part that have
// such groups.
type source struct {
	cell, end int // the next cell, and where the part ends
	groups    bitset
	singles   int // how many single seats each group leaves
}

// findAdjacent finds groups of one category; mixed ones only if there is no such group.
func (s *search) findAdjacent() {
	sources := s.sources[:0]
	for _, c := range s.wants.classes {
		sources = s.appendSources(sources, c)
	}
	if len(sources) == 0 && len(s.wants.classes) > 1 {
		sources = s.appendSources(sources, s.wants.mixed)
	}
	s.sources = sources
	for len(s.found) < s.limit*s.q {
		r := len(s.rows)
		for i := range sources {
			if sources[i].cell < sources[i].end {
				r = min(r, s.rowOf(sources[i].cell))
			}
		}
		if r == len(s.rows) {
			return
		}
		s.rest = append(s.rest[:0], s.free[s.rows[r].first:s.rows[r].end]...)
		for len(s.found) < s.limit*s.q && s.findInRow(r) {
		}
		for i := range sources {
			if c := &sources[i]; c.cell < c.end && s.rowOf(c.cell) == r {
				c.cell = c.groups.next(s.afterRow(c.cell), c.end)
			}
		}
	}
}

// appendSources appends the sources of a class: with the groups that leave the fewest single
// seats.
func (s *search) appendSources(to []source, of class) []source {
	s.parts = s.appendParts(s.parts[:0], of, s.wants.zones)
	singles, ok := s.facts.fewest(s.q, s.parts)
	if !ok {
		return to
	}
	groups := s.facts.groups[singles][s.q-1]
	for _, p := range s.parts {
		if first := groups.next(p.first, p.end); first < p.end {
			to = append(to, source{first, p.end, groups, singles})
		}
	}
	return to
}

// findInRow finds the group of a row that is nearest to its middle, and takes its seats from
// rest. The group leaves no more single seats if those found before it are taken, too.
func (s *search) findInRow(r int) bool {
	row := s.rows[r]
	twice := int(row.middle) - (s.q - 1) // the first column of a group in the middle
	best, farness := -1, 0
	for i := range s.sources {
		c := &s.sources[i]
		if c.cell == c.end || s.rowOf(c.cell) != r {
			continue
		}
		for k, end := c.cell, min(s.afterRow(c.cell), c.end); k < end; k = c.groups.next(k+1, end) {
			groups := s.groupsOf(row, k, c.singles)
			if groups == 0 {
				continue
			}
			at := nearest(groups, int(s.cells[k].word-row.first)*64, twice)
			if d := max(2*at-twice, twice-2*at); best < 0 || d < farness || d == farness && at < best {
				best, farness = at, d
			}
		}
	}
	if best < 0 {
		return false
	}
	for at := best; at < best+s.q; at++ {
		s.rest[at/64] &^= 1 << (at % 64)
		s.found = append(s.found, row.first*64+uint32(at))
	}
	return true
}

// groupsOf returns the groups that begin in a cell, leave a number of single seats, and no more
// in rest.
func (s *search) groupsOf(r row, k, singles int) uint64 {
	v := s.window(s.rest, k)
	groups := v.groups(s.q)
	if groups == 0 {
		return 0
	}
	left, allowed := v.split(groups, s.q), uint64(0)
	for _, some := range left[:singles+1] {
		allowed |= some
	}
	v = s.window(s.free[r.first:r.end], k)
	return v.split(allowed, s.q)[singles]
}
