import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.exception.MongoServerError;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/**
 * What the members say of their set. Each start after the first is an election
 * that the next member wins, since that is what may happen.
 */
final class ReplicaSet {
    private final MVMap<String, String> kept;
    private final String name;
    private volatile List<String> members;
    private final int primary;

    ReplicaSet(MVStore store, String name) {
        this.name = name;
        kept = store.openMap("standin.set");
        members = kept.containsKey("members") ? List.of(kept.get("members").split(",")) : List.of();
        primary = members.isEmpty() ? 0 : (Integer.parseInt(kept.get("primary")) + 1) % members.size();
        kept.put("primary", String.valueOf(primary));
    }

    boolean isPrimary(String member) {
        return !members.isEmpty() && members.get(primary).equals(member);
    }

    /** Adds to hello what the set is for member me. */
    Document hello(Document reply, String me) {
        boolean writes = isPrimary(me);
        reply.append("ismaster", writes).append("isWritablePrimary", writes);
        if (members.isEmpty()) {
            return reply.append("secondary", false).append("isreplicaset", true).append("info", "Does not have a valid replica set config");
        }
        return reply.append("secondary", !writes).append("setName", name).append("setVersion", 1)
            .append("hosts", members).append("me", me).append("primary", members.get(primary));
    }

    Document status() {
        if (members.isEmpty()) {
            throw new MongoServerError(94, "NotYetInitialized", "no replset config has been received");
        }
        List<Document> all = new ArrayList<>();
        for (String m : members) {
            all.add(new Document("_id", all.size()).append("name", m).append("health", 1.0)
                .append("stateStr", isPrimary(m) ? "PRIMARY" : "SECONDARY"));
        }
        return new Document("set", name).append("members", all).append("ok", 1.0);
    }

    Document initiate(Document config) {
        if (!members.isEmpty()) {
            throw new MongoServerError(23, "AlreadyInitialized", "already initialized");
        }
        List<String> hosts = new ArrayList<>();
        for (Object m : (List<?>) config.get("members")) {
            hosts.add((String) ((Document) m).get("host"));
        }
        if (!name.equals(config.get("_id"))) {
            throw new MongoServerError(93, "InvalidReplicaSetConfig", "the set is called " + name);
        }
        for (String host : hosts) {
            try (Socket s = new Socket()) {
                s.connect(new InetSocketAddress(host.split(":")[0], Integer.parseInt(host.split(":")[1])), 1000);
            } catch (IOException away) {
                throw new MongoServerError(74, "NodeNotFound", "quorum check failed because not all proposed set members responded affirmatively: " + host);
            }
        }
        kept.put("members", String.join(",", hosts));
        members = hosts;
        return new Document("ok", 1.0);
    }

    @Override
    public String toString() {
        return members.isEmpty() ? "no set yet" : "primary is " + members.get(primary);
    }
}
