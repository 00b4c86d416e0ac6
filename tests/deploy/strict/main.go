// Reads Kubernetes manifests from standard input, as kustomize prints them, and holds each to the API's own Go types as
// strictly as an API server does (fieldValidation=Strict): unknown fields, fields given twice, and values of the wrong
// type are problems. So are names that lead nowhere (ports, selectors, targets), and ways left open: no default deny, secrets
// in the environment, no limits. --pinned: each image must be given by its digest.
//
//	strict [--pinned] < manifests.yaml
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	pinned := flag.Bool("pinned", false, "each image must be given by its digest")
	flag.Parse()
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "strict:", err)
		os.Exit(1)
	}
	objects, problems := Decode(text)
	if len(problems) == 0 {
		problems = append(LooseEnds(objects), Unguarded(objects, *pinned)...)
	}
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, "strict:", problem)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
	fmt.Printf("%d objects\n", len(objects))
}
