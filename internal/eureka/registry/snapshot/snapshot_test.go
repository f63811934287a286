package snapshot_test

import (
	"os"
	"reflect"
	"testing"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/snapshot"
)

func TestAFileComesBackAsItWent(t *testing.T) {
	path := t.TempDir() + "/registry.json"
	if _, there, err := snapshot.Read(path); there || err != nil {
		t.Errorf("%t %v", there, err)
	}
	want := snapshot.Snapshot{
		Version: 7,
		Applications: eureka.Applications{Version: 7, Hash: "UP_1_", Apps: []eureka.Application{{Name: "A", Instances: []*eureka.Instance{{
			ID: "i", App: "A", Status: eureka.Up, Overridden: eureka.Unknown, DataCenter: &eureka.DataCenter{Name: eureka.MyOwn},
			Lease: eureka.Lease{RenewalInterval: 30, Duration: 90}, Action: eureka.Added,
		}}}}},
		Cleared: []snapshot.Name{{"A", "i"}}, Own: []snapshot.Own{{"A", "i", eureka.Down}},
	}
	for range 2 { // over an old one, and what a crash left
		if err := snapshot.Write(path, want); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+".new", []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, there, err := snapshot.Read(path)
	if !there || err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%t %v\ngot  %+v\nwant %+v", there, err, got.Applications.Apps[0].Instances[0], want.Applications.Apps[0].Instances[0])
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"version":5,"applications":{"applications":{"application":[{"name":"A","instance":[{"app":"A"}]}]}}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := t.TempDir() + "/f"
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, there, err := snapshot.Read(path); there && err != nil {
			t.Error(err)
		}
	})
}
