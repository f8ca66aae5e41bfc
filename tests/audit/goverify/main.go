// Goverify checks a published transfer log, or a receipt, with none of the gateway's own code: the signature with
// golang.org/x/mod/sumdb/note, the tree with golang.org/x/mod/sumdb/tlog (Debian: golang-golang-x-mod-dev).
//
//	goverify log FOLDER VKEY [OLDER]    every entry, every tile, the checkpoint; OLDER is a checkpoint kept from before
//	goverify receipt FILE VKEY          a tlog-proof that carries its entry
//
// It ends with 0 and one line of counts, or with 1 and what does not fit.
package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const width = 256

type checkpoint struct {
	origin     string
	size       int64
	root       tlog.Hash
	signatures int
}

// memory holds every hash of the tree, in the order in which x/mod stores them.
type memory []tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x < 0 || x >= int64(len(m)) {
			return nil, fmt.Errorf("there is no hash %d", x)
		}
		out[i] = m[x]
	}
	return out, nil
}

func main() {
	if len(os.Args) < 4 {
		fail(errors.New("usage: goverify log FOLDER VKEY [OLDER] | goverify receipt FILE VKEY"))
	}
	verifier, err := note.NewVerifier(strings.TrimSuffix(os.Args[3], "\n"))
	if err != nil {
		fail(err)
	}
	switch os.Args[1] {
	case "log":
		older := ""
		if len(os.Args) > 4 {
			older = os.Args[4]
		}
		err = checkLog(os.Args[2], verifier, older)
	case "receipt":
		err = checkReceipt(os.Args[2], verifier)
	default:
		err = errors.New("say log or receipt")
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "goverify:", err)
	os.Exit(1)
}

// open verifies a checkpoint. x/mod's own ParseTree wants another header, so the text is read here.
func open(signed []byte, verifier note.Verifier) (checkpoint, error) {
	var c checkpoint
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return c, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return c, errors.New("the checkpoint's text has not exactly three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return c, fmt.Errorf("%q is not a size", lines[1])
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize || base64.StdEncoding.EncodeToString(root) != lines[2] {
		return c, fmt.Errorf("%q is not a root", lines[2])
	}
	c = checkpoint{origin: lines[0], size: size, signatures: len(opened.Sigs)}
	copy(c.root[:], root)
	return c, nil
}

func checkLog(folder string, verifier note.Verifier, older string) error {
	expected := map[string]bool{"log.vkey": true}
	signed, err := readFile(folder, "checkpoint", expected)
	if err != nil {
		return err
	}
	c, err := open(signed, verifier)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if c.size == 0 {
		return errors.New("the log is empty, there is nothing to verify")
	}
	hashes, bundles, err := readEntries(folder, c.size, expected)
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(c.size, hashes)
	if err != nil {
		return err
	}
	if root != c.root {
		return fmt.Errorf("the %d entries have the root %v, and %v was signed", c.size, root, c.root)
	}
	tiles, err := compareTiles(folder, c.size, hashes, expected)
	if err != nil {
		return err
	}
	if err := nothingElse(folder, expected); err != nil {
		return err
	}
	proofs, err := prove(c, hashes)
	if err != nil {
		return err
	}
	pinned := ""
	if older != "" {
		if pinned, err = checkOlder(older, verifier, c, hashes); err != nil {
			return err
		}
	}
	fmt.Printf("ok: %s, %d entries in %d bundles, %d tiles, %d proofs, %d signature(s)%s\n",
		c.origin, c.size, bundles, tiles, proofs, c.signatures, pinned)
	return nil
}

// readEntries hashes every entry of every bundle.
func readEntries(folder string, size int64, expected map[string]bool) (memory, int, error) {
	hashes := make(memory, 0, tlog.StoredHashCount(size))
	bundles := 0
	for n := int64(0); n*width < size; n++ {
		count := size - n*width
		if count > width {
			count = width
		}
		path := tilePath("entries", n, int(count))
		data, err := readFile(folder, path, expected)
		if err != nil {
			return nil, 0, err
		}
		bundles++
		for i := int64(0); i < count; i++ {
			if len(data) < 2 || len(data) < 2+int(data[0])<<8+int(data[1]) {
				return nil, 0, fmt.Errorf("%s ends inside its entry %d", path, i)
			}
			length := int(data[0])<<8 + int(data[1])
			stored, err := tlog.StoredHashesForRecordHash(n*width+i, tlog.RecordHash(data[2:2+length]), hashes)
			if err != nil {
				return nil, 0, err
			}
			hashes = append(hashes, stored...)
			data = data[2+length:]
		}
		if len(data) > 0 {
			return nil, 0, fmt.Errorf("%s holds more than %d entries", path, count)
		}
	}
	return hashes, bundles, nil
}

// compareTiles makes the tiles of this size anew (those only: x/mod's NewTiles lists those of smaller sizes too).
func compareTiles(folder string, size int64, hashes memory, expected map[string]bool) (int, error) {
	tiles := 0
	for level, count := 0, size; count > 0; level, count = level+1, count/width {
		for n := int64(0); n*width < count; n++ {
			w := int64(width)
			if count-n*width < width {
				w = count - n*width
			}
			path := tilePath(strconv.Itoa(level), n, int(w))
			found, err := readFile(folder, path, expected)
			if err != nil {
				return 0, err
			}
			made, err := tlog.ReadTileData(tlog.Tile{H: 8, L: level, N: n, W: int(w)}, hashes)
			if err != nil {
				return 0, err
			}
			if !bytes.Equal(found, made) {
				return 0, fmt.Errorf("%s does not hold the hashes of the entries", path)
			}
			tiles++
		}
	}
	return tiles, nil
}

// prove makes and checks inclusion proofs all over the log.
func prove(c checkpoint, hashes memory) (int, error) {
	made := 0
	step := c.size/100 + 1
	for n := int64(0); n < c.size; n += step {
		proof, err := tlog.ProveRecord(c.size, n, hashes)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckRecord(proof, c.size, c.root, n, hashes[tlog.StoredHashIndex(0, n)]); err != nil {
			return 0, fmt.Errorf("entry %d: %w", n, err)
		}
		made++
	}
	return made, nil
}

func checkOlder(path string, verifier note.Verifier, newer checkpoint, hashes memory) (string, error) {
	signed, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	older, err := open(signed, verifier)
	if err != nil {
		return "", fmt.Errorf("the older checkpoint: %w", err)
	}
	if older.origin != newer.origin || older.size > newer.size || older.size == 0 {
		return "", fmt.Errorf("%s at %d is not the beginning of %s at %d", older.origin, older.size, newer.origin, newer.size)
	}
	proof, err := tlog.ProveTree(newer.size, older.size, hashes)
	if err != nil {
		return "", err
	}
	if err := tlog.CheckTree(proof, newer.size, newer.root, older.size, older.root); err != nil {
		return "", fmt.Errorf("the older checkpoint is not the beginning of this log: %w", err)
	}
	return fmt.Sprintf(", continues %d entries", older.size), nil
}

// nothingElse refuses whatever has no place in a log of this size.
func nothingElse(folder string, expected map[string]bool) error {
	return filepath.Walk(folder, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err == nil && !expected[filepath.ToSlash(name)] {
			err = fmt.Errorf("%s has no place in this log", name)
		}
		return err
	})
}

func readFile(folder, path string, expected map[string]bool) ([]byte, error) {
	expected[path] = true
	full := filepath.Join(folder, filepath.FromSlash(path))
	info, err := os.Lstat(full)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	return os.ReadFile(full)
}

// tilePath follows C2SP tlog-tiles, where the tile's height is left out of x/mod's paths.
func tilePath(level string, n int64, w int) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	path = "tile/" + level + "/" + path
	if w < width {
		path += fmt.Sprintf(".p/%d", w)
	}
	return path
}

func checkReceipt(path string, verifier note.Verifier) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, signed, found := strings.Cut(string(data), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" ||
		!strings.HasPrefix(lines[1], "extra ") || !strings.HasPrefix(lines[2], "index ") {
		return errors.New("this is not a tlog-proof that carries its entry")
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil || index < 0 {
		return fmt.Errorf("%q is not an index", lines[2])
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	c, err := open([]byte(signed), verifier)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := tlog.CheckRecord(proof, c.size, c.root, index, tlog.RecordHash(entry)); err != nil {
		return err
	}
	fmt.Printf("ok: %s, entry %d of %d, %d bytes\n", c.origin, index, c.size, len(entry))
	return nil
}
