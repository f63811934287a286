// Command kubernetes is Kubernetes, etcd and CoreDNS in one file, to try
// deploy/kubernetes with: the first argument names the component that it is. It
// owns no behaviour: each component is its project's, and cluster.sh starts them.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	commands := map[string]func() *cobra.Command{
		"kube-apiserver":          apiserver.NewAPIServerCommand,
		"kube-controller-manager": controllers.NewControllerManagerCommand,
		"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
		"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
		"kube-proxy":              proxy.NewProxyCommand,
		"kubectl":                 kubectl.NewDefaultKubectlCommand,
	}
	if len(os.Args) < 2 {
		os.Args = append(os.Args, "")
	}
	component := os.Args[1]
	os.Args = os.Args[1:]
	switch command := commands[component]; {
	case command != nil:
		os.Exit(cli.Run(command()))
	case component == "etcd":
		etcdmain.Main(os.Args)
	case component == "coredns":
		dnsserver.Directives = []string{"errors", "kubernetes"}
		coremain.Run()
	default:
		fmt.Fprintf(os.Stderr, "no such component: %q\n", component)
		os.Exit(2)
	}
}
