package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"booking/seatlock/redistest/freeport"
	"booking/seatlock/redistest/redisserver"
)

// node is a redis-server, which may be one of a cluster.
type node struct {
	*redisserver.Server
	proc procfs.Proc
}

// startNode starts a redis-server without persistence, with args as further arguments.
func startNode(ctx context.Context, args ...string) (*node, error) {
	server, err := redisserver.Start(ctx, redisserver.Options{Args: append([]string{"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"}, args...)})
	if err != nil {
		return nil, err
	}
	proc, err := procfs.NewProc(server.PID())
	if err != nil {
		server.Stop()
		return nil, err
	}
	return &node{server, proc}, nil
}

// startRedis starts one Redis, or a Redis Cluster of n nodes if n is positive.
func (s *servers) startRedis(ctx context.Context, n int) error {
	if n == 0 {
		single, err := startNode(ctx)
		if err == nil {
			s.redis = []*node{single}
		}
		return err
	}
	const slots = 16384
	for i := range n {
		bus, _, err := freeport.Reserve() // until this process ends
		if err != nil {
			return err
		}
		member, err := startNode(ctx, "--cluster-enabled", "yes", "--cluster-port", bus)
		if err != nil {
			return err
		}
		s.redis = append(s.redis, member)
		if err := member.Client.ClusterAddSlotsRange(ctx, i*slots/n, (i+1)*slots/n-1).Err(); err != nil {
			return err
		}
		host, port, err := net.SplitHostPort(member.Addr)
		if err != nil {
			return err
		}
		if err := s.redis[0].Client.Do(ctx, "cluster", "meet", host, port, bus).Err(); err != nil {
			return err
		}
	}
	return s.awaitCluster(ctx)
}

// awaitCluster returns when each node knows the others and their slots.
func (s *servers) awaitCluster(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, member := range s.redis {
		for {
			info, err := member.Client.ClusterInfo(ctx).Result()
			if err != nil {
				return fmt.Errorf("the cluster does not become ready: %w", err)
			}
			if strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r\n", len(s.redis))) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}

// flush empties Redis. Without SYNC, Valkey 8 would free the memory after its reply, so
// during the next measurement.
func (s *servers) flush(ctx context.Context) error {
	for _, member := range s.redis {
		if err := member.Client.Do(ctx, "flushall", "sync").Err(); err != nil {
			return err
		}
	}
	return nil
}

// redisCPUTime returns the CPU time of all nodes so far.
func (s *servers) redisCPUTime() (sum time.Duration, err error) {
	for _, member := range s.redis {
		spent, nodeErr := cpuTime(member.proc)
		sum, err = sum+spent, errors.Join(err, nodeErr)
	}
	return sum, err
}
