//go:build libseccomp

package main

import (
	"encoding/binary"
	"fmt"
	"math"
)

// shortest is the length of piece that made the packs smallest.
const shortest = 4

// pack writes the programs as unpack reads them: each as pieces of one pool,
// which takes in only what no longer piece of it already says.
func pack(programs [][]instruction) ([]byte, error) {
	var pool []instruction
	var starts, pieces []uint16
	for _, program := range programs {
		starts = append(starts, uint16(len(pieces)/2))
		for len(program) > 0 {
			first, count := longest(pool, program)
			if count < shortest {
				first, count = len(pool), fresh(pool, program)
				pool = append(pool, program[:count]...)
			}
			pieces = append(pieces, uint16(first), uint16(count))
			program = program[count:]
		}
	}
	starts = append(starts, uint16(len(pieces)/2))
	if len(pool) > math.MaxUint16 || len(pieces) > math.MaxUint16 {
		return nil, fmt.Errorf("cannot pack %d instructions in %d pieces", len(pool), len(pieces)/2)
	}
	var data []byte
	for _, n := range append(starts, pieces...) {
		data = binary.LittleEndian.AppendUint16(data, n)
	}
	for _, ins := range pool {
		data = binary.LittleEndian.AppendUint64(data, uint64(ins))
	}
	return data, nil
}

// longest finds the longest beginning of program in pool.
func longest(pool, program []instruction) (first, count int) {
	for i := range pool {
		n := 0
		for n < len(program) && i+n < len(pool) && pool[i+n] == program[n] {
			n++
		}
		if n > count {
			first, count = i, n
		}
	}
	return first, count
}

// fresh counts the instructions up to the next that pool can supply.
func fresh(pool, program []instruction) int {
	for n := 1; n < len(program); n++ {
		if _, count := longest(pool, program[n:]); count >= shortest {
			return n
		}
	}
	return len(program)
}
