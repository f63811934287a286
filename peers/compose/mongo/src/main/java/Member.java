import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.exception.MongoServerError;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import de.bwaldvogel.mongo.wire.message.MongoQuery;
import io.netty.channel.Channel;

import java.security.GeneralSecurityException;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** One member of the set: answers itself what is about users and the set, and leaves documents to the store. */
final class Member implements MongoBackend {
    private static final Set<String> HELLO = Set.of("hello", "isMaster", "ismaster");
    private static final Set<String> OPEN = Set.of("saslStart", "saslContinue", "ping", "buildInfo", "buildinfo", "logout", "endSessions");
    private static final Set<String> ROOTS = Set.of("createUser", "usersInfo", "replSetGetStatus", "replSetInitiate");
    private static final Set<String> ANYWHERE = Set.of("usersInfo", "replSetGetStatus", "replSetInitiate", "getParameter", "getCmdLineOpts");

    private final String me;
    private final MongoBackend store;
    private final Users users;
    private final ReplicaSet set;
    private final Map<Channel, Users.Login> logins = new ConcurrentHashMap<>();

    Member(String me, MongoBackend store, Users users, ReplicaSet set) {
        this.me = me;
        this.store = store;
        this.users = users;
        this.set = set;
    }

    @Override
    public Document handleMessage(MongoMessage message) {
        Document command = message.getDocument();
        String name = command.keySet().iterator().next();
        if (HELLO.contains(name)) {
            return hello(store.handleCommand(message.getChannel(), message.getDatabaseName(), "ismaster", command), command);
        }
        try {
            permit(message, name);
            Document own = answer(message, name, command);
            return own != null ? own : store.handleMessage(message);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private Document hello(Document reply, Document command) {
        if (command.containsKey("saslSupportedMechs")) {
            reply.append("saslSupportedMechs", List.of("SCRAM-SHA-256"));
        }
        return set.hello(reply, me);
    }

    /** Refuses what the user of the connection may not do, and what this member cannot. */
    private void permit(MongoMessage message, String name) {
        if (OPEN.contains(name)) {
            return;
        }
        Users.Login login = logins.get(message.getChannel());
        if (login == null || !login.done) {
            throw new MongoServerError(13, "Unauthorized", "Command " + name + " requires authentication");
        }
        boolean root = login.name().startsWith("admin.");
        if (!root && (ROOTS.contains(name) || !login.name().startsWith(message.getDatabaseName() + "."))) {
            throw new MongoServerError(13, "Unauthorized", "not authorized on " + message.getDatabaseName() + " to execute command " + name);
        }
        if (!ANYWHERE.contains(name) && !set.isPrimary(me)) {
            throw new MongoServerError(10107, "NotWritablePrimary", "not primary");
        }
    }

    private Document answer(MongoMessage message, String name, Document command) throws GeneralSecurityException {
        String database = message.getDatabaseName();
        switch (name) {
            case "saslStart":
                Users.Login login = users.new Login(database, command);
                logins.put(message.getChannel(), login);
                return login.challenge();
            case "saslContinue":
                return logins.get(message.getChannel()).proof(command);
            case "replSetGetStatus":
                return set.status();
            case "replSetInitiate":
                return set.initiate((Document) command.get(name));
            case "createUser":
                if (!List.of("readWrite").equals(roles(command))) {
                    throw new MongoServerError(31, "RoleNotFound", "this stand-in knows readWrite alone");
                }
                users.add(database + "." + command.get(name), (String) command.get("pwd"));
                return new Document("ok", 1.0);
            case "usersInfo":
                Document who = (Document) command.get(name);
                List<Document> found = new ArrayList<>();
                if (users.has(who.get("db") + "." + who.get("user"))) {
                    found.add(new Document("user", who.get("user")).append("db", who.get("db")));
                }
                return new Document("users", found).append("ok", 1.0);
            default:
                return null;
        }
    }

    private static List<Object> roles(Document command) {
        List<Object> names = new ArrayList<>();
        for (Object role : (List<?>) command.get("roles")) {
            names.add(role instanceof Document d ? d.get("role") : role);
        }
        return names;
    }

    /** Commands of the old protocol, of which drivers use one: their first hello. */
    @Override
    public Document handleCommand(Channel channel, String database, String command, Document query) {
        if (!HELLO.contains(command)) {
            throw new MongoServerError(352, "UnsupportedOpQueryCommand", "Unsupported OP_QUERY command: " + command);
        }
        return hello(store.handleCommand(channel, database, "ismaster", query), query);
    }

    @Override
    public QueryResult handleQuery(MongoQuery query) {
        throw new MongoServerError(352, "UnsupportedOpQueryCommand", "Unsupported OP_QUERY");
    }

    @Override
    public void handleClose(Channel channel) {
        logins.remove(channel);
        store.handleClose(channel);
    }

    @Override
    public Collection<Document> getCurrentOperations(MongoQuery query) {
        return store.getCurrentOperations(query);
    }

    @Override
    public Document getServerStatus() {
        return store.getServerStatus();
    }

    @Override
    public void dropDatabase(String name) {
        store.dropDatabase(name);
    }

    @Override
    public MongoDatabase resolveDatabase(String name) {
        return store.resolveDatabase(name);
    }

    @Override
    public void closeCursors(List<Long> ids) {
        store.closeCursors(ids);
    }

    @Override
    public Clock getClock() {
        return store.getClock();
    }

    @Override
    public void enableOplog() {
        store.enableOplog();
    }

    @Override
    public void disableOplog() {
        store.disableOplog();
    }

    @Override
    public MongoBackend version(MongoVersion version) {
        return store.version(version);
    }

    @Override
    public void close() {
        // Main closes the store that all members share.
    }
}
