# Run once by mongosh's container: the replica set and CCMS's user.
set -eu
root() {
  mongosh --quiet --tls --tlsCAFile /run/secrets/ca --host mongo-1 -u root -p "$(cat /run/secrets/mongo-root)" --authenticationDatabase admin --eval "$1"
}
until root 'db.hello().ok' >/dev/null 2>&1; do sleep 1; done
root 'try { rs.status() } catch (e) { rs.initiate({_id: "rs0", members: [1, 2, 3].map(n => ({_id: n, host: `mongo-${n}:27017`}))}) }'
until root 'if (!db.hello().isWritablePrimary) quit(1)' >/dev/null 2>&1; do sleep 1; done
root "const d = db.getSiblingDB('CCMS'); if (!d.getUser('ccms')) d.createUser({user: 'ccms', pwd: '$(cat /run/secrets/mongo-ccms)', roles: ['readWrite']})"
