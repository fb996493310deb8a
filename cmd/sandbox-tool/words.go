package main

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sandbox/internal/disk"
	"sandbox/internal/safe"
	"sandbox/repo/client"
	"sandbox/repo/store"
)

// What a shell completes is read from what is here: nobody is asked, and nothing is
// made or changed.

// appWord is an app that a word may stand for.
type appWord struct{ id, about string }

// completeInstalled completes what is installed.
func completeInstalled(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	return wordsOf(installedApps(), args, word), cobra.ShellCompDirectiveNoFileComp
}

func installedApps() (all []appWord) {
	for _, s := range readStores() {
		records, _ := s.Records()
		for _, r := range records {
			all = append(all, appWord{string(r.Ref().ID), r.Release.Version})
		}
		s.Close()
	}
	return all
}

// completeOffered completes what the remotes listed when they were last asked.
func completeOffered(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	system, _ := c.Flags().GetBool("system")
	all, known := offeredApps(system)
	words := wordsOf(all, args, word)
	if !known { // bash and zsh show it below the line
		words = cobra.AppendActiveHelp(words, "nothing is known yet of what the remotes offer: 'sandbox search' asks them")
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// offeredApps are the apps that the remotes of all stores list, or with system those
// of the machine's; known says that some list is here.
func offeredApps(system bool) (all []appWord, known bool) {
	for _, s := range readStores() {
		if s.System() || !system {
			c := &client.Client{Store: s}
			list, err := c.Search(context.Background(), nil, client.SearchOptions{Stored: true})
			known = known || err == nil
			for _, h := range list.Hits {
				all = append(all, appWord{string(h.Ref.ID), h.Summary})
			}
			c.Close()
		}
		s.Close()
	}
	return all, known
}

func readStores() []*store.Store {
	home, err := disk.Home()
	if err != nil {
		return nil
	}
	stores, _ := store.Readable(disk.UserDirs(os.Getenv, home))
	return stores
}

// wordsOf are the words that begin with word and stand for an app that is not named
// yet: IDs, and for whoever has begun to type something else, the last parts of those
// that no other has.
func wordsOf(all []appWord, named []string, word string) []string {
	slices.SortStableFunc(all, func(a, b appWord) int { return cmp.Compare(a.id, b.id) })
	all = slices.CompactFunc(all, func(a, b appWord) bool { return a.id == b.id })
	shorts := map[string]int{}
	for _, a := range all {
		shorts[strings.ToLower(base(a.id))]++
	}
	var words []string
	for _, a := range all {
		short := strings.ToLower(base(a.id))
		if slices.ContainsFunc(named, func(n string) bool { return n == a.id || strings.EqualFold(n, short) }) {
			continue
		}
		if strings.HasPrefix(a.id, word) {
			words = append(words, a.id+"\t"+safe.Text(a.about))
		}
		if len(word) == 0 || shorts[short] > 1 {
			continue
		}
		for _, name := range []string{short, base(a.id)} { // as it is typed
			if strings.HasPrefix(name, word) {
				words = append(words, name+"\t"+safe.Text(a.about))
				break
			}
		}
	}
	return words
}

func base(id string) string { return id[strings.LastIndexByte(id, '.')+1:] }
