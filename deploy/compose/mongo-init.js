// Run by mongosh at each start: the replica set and CCMS's user, if they are
// not there yet. Passwords are read here, so that no command line shows them.
const { readFileSync } = require('fs');
const secret = (name) => readFileSync(`/run/secrets/${name}`, 'utf8').trim();
const database = (hosts, option, name) =>
  new Mongo(`mongodb://root:${secret('mongo-root')}@${hosts}/admin?tls=true&tlsCAFile=/run/secrets/ca&${option}`).getDB(name);
const hosts = ['mongo-1', 'mongo-2', 'mongo-3'];

// Members may be starting, or electing one of them.
function patiently(act) {
  for (let left = 120; ; left--) {
    try {
      act();
      return;
    } catch (e) {
      if (left === 0) throw e;
      print(`mongo-init waits: ${e.codeName ?? e.name}`);
      sleep(1000);
    }
  }
}

patiently(() => {
  const admin = database('mongo-1', 'directConnection=true', 'admin'); // the one that has a user already
  try {
    admin.adminCommand({ replSetGetStatus: 1 });
  } catch (e) {
    if (e.codeName !== 'NotYetInitialized') throw e;
    admin.adminCommand({ replSetInitiate: { _id: 'rs0', members: hosts.map((name, i) => ({ _id: i + 1, host: `${name}:27017` })) } });
  }
});
patiently(() => {
  const ccms = database(hosts.join(), 'replicaSet=rs0&serverSelectionTimeoutMS=5000', 'CCMS'); // whichever takes writes
  if (!ccms.getUser('ccms')) ccms.createUser({ user: 'ccms', pwd: secret('mongo-ccms'), roles: ['readWrite'] });
});
print('mongo-init: the set and its user are there');
