// An eureka-js-client that does what it is told line by line; see
// internal/eureka/registry/client_peers_test.go.
const { Eureka } = require('eureka-js-client');
const readline = require('readline');

const client = new Eureka({
  instance: {
    app: 'PEER',
    instanceId: 'js:peer:8080',
    hostName: '127.0.0.1',
    ipAddr: '127.0.0.1',
    status: 'UP',
    port: { $: 8080, '@enabled': true },
    vipAddress: 'PEER',
    dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn' },
  },
  eureka: {
    serviceUrls: { default: [process.env.EUREKA_URL + 'apps/'] }, // with credentials
    heartbeatInterval: 1000,
    registryFetchInterval: 1000,
    maxRetries: 3,
    shouldUseDelta: process.argv[2] === 'delta',
  },
});
client.logger.level('error');
const say = (text) => console.log('answer: ' + text);

client.start(() => {});
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [command, name] = line.split(' ');
  if (command === 'find') {
    say(client.getInstancesByAppId(name).filter((i) => i.status === 'UP').length);
  } else if (command === 'stop') {
    client.stop(() => { say('ok'); process.exit(0); });
  } else {
    say('cannot'); // this client has no change of status
  }
});
