import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { atEnd } from '../../helpers/cleanup.js';
import { openStream } from '../../helpers/client.js';
import { type Example, request, startFile } from '../../helpers/example.js';
import { liveStream } from '../refusals.js';

const FOLDER = 'examples/deploy';

/** Every document of a file; a key given twice, or anything else that is no YAML, throws. */
function documents(file: string): unknown[] {
  return parseAllDocuments(readFileSync(`${FOLDER}/${file}`, 'utf8'), { strict: true, uniqueKeys: true }).map(
    (each) => {
      expect([...each.errors, ...each.warnings], file).toEqual([]);
      return each.toJS();
    },
  );
}

/** What is found along the names, however deep; `undefined` where there is nothing. */
const at = (value: unknown, ...names: (string | number)[]): unknown =>
  names.reduce<unknown>((found, name) => Reflect.get(Object(found), name), value);

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const serverFile = `${FOLDER}/server.js`;

/** Every name of the environment that the server reads, in its own file or those it loads. */
const settings = [serverFile, 'examples/express/app.js', 'examples/express/config.js']
  .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/\b(?:text|number|port)\('(\w+)'/g)])
  .map(([, name]) => name);

const manifests = readdirSync(`${FOLDER}/kubernetes`).flatMap((file) => documents(`kubernetes/${file}`));

function manifest(kind: string): unknown {
  const found = manifests.filter((each) => at(each, 'kind') === kind);
  expect(found, kind).toHaveLength(1);
  return found[0];
}

async function startServer(env: Readonly<Record<string, string>> = {}): Promise<Example> {
  const example = await startFile(serverFile, { SSE_RETRY_MS: '20', ...env });
  atEnd(example.stop);
  return example;
}

describe('the manifests for Kubernetes', () => {
  const deployment = manifest('Deployment');
  const pod = at(deployment, 'spec', 'template', 'spec');
  const container = at(pod, 'containers', 0);
  const preStop = list(at(container, 'lifecycle', 'preStop', 'exec', 'command')).map(String);
  const path = (probe: string) => String(at(container, probe, 'httpGet', 'path'));

  it('speak of the same pods, by name and label', () => {
    const labels = { 'app.kubernetes.io/name': at(deployment, 'metadata', 'name') };
    expect(at(deployment, 'spec', 'selector', 'matchLabels')).toEqual(labels);
    expect(at(deployment, 'spec', 'template', 'metadata', 'labels')).toEqual(labels);
    expect(at(manifest('Service'), 'spec', 'selector')).toEqual(labels);
    expect(at(manifest('PodDisruptionBudget'), 'spec', 'selector', 'matchLabels')).toEqual(labels);
    expect(at(pod, 'topologySpreadConstraints', 0, 'labelSelector', 'matchLabels')).toEqual(labels);
    expect(at(manifest('HorizontalPodAutoscaler'), 'spec', 'scaleTargetRef')).toEqual({
      apiVersion: at(deployment, 'apiVersion'),
      kind: 'Deployment',
      name: at(deployment, 'metadata', 'name'),
    });
  });

  it('lead from the ingress to the port that the server listens on', () => {
    const backend = at(manifest('Ingress'), 'spec', 'rules', 0, 'http', 'paths', 0, 'backend', 'service');
    const port = at(manifest('Service'), 'spec', 'ports', 0);
    expect(backend).toEqual({ name: at(manifest('Service'), 'metadata', 'name'), port: { name: at(port, 'name') } });
    const target = at(container, 'ports', 0);
    expect(at(port, 'targetPort')).toBe(at(target, 'name'));
    const env = list(at(container, 'env'));
    expect(env).toContainEqual({ name: 'PORT', value: String(at(target, 'containerPort')) });
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      expect(at(container, probe, 'httpGet', 'port'), probe).toBe(at(target, 'name'));
    }
    for (const { name } of env.map((each) => ({ name: at(each, 'name') }))) expect(settings).toContain(name);
    // An address with a password in it is no matter for a manifest.
    const redis = env.find((each) => at(each, 'name') === 'REDIS_URL');
    expect(at(redis, 'value')).toBeUndefined();
    expect(at(redis, 'valueFrom', 'secretKeyRef')).toBeDefined();
  });

  it('name probes that the server answers: it lives, and is ready, until it drains', async () => {
    const example = await startServer();
    const status = async (probe: string) => (await request(example.url + path(probe))).status;
    await expect.poll(() => status('readinessProbe')).toBe(200);
    expect([await status('startupProbe'), await status('livenessProbe')]).toEqual([200, 200]);
    const stream = await liveStream(`${example.url}/sse?userId=ann`);
    const [, signal] = /^kill -(\w+) 1 && sleep \d+$/.exec(preStop[2] ?? '') ?? [];
    expect(preStop.slice(0, 2)).toEqual(['sh', '-c']);
    example.signal(signal === 'USR2' ? 'SIGUSR2' : 'SIGKILL');
    await expect.poll(() => status('readinessProbe')).toBe(503);
    // What drains is not dead: it would be killed with its streams.
    expect(await status('livenessProbe')).toBe(200);
    const late = await openStream(`${example.url}/sse?userId=bob`);
    await late.over;
    expect(late).toMatchObject({ status: 200, ended: true, retries: [expect.any(Number)] });
    await request(`${example.url}/notify/ann`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"event":"news","data":1}',
    });
    await stream.event('news');
  });

  it('are not ready without Redis at the start, and stay alive', async () => {
    const example = await startServer({ REDIS_URL: 'redis://127.0.0.1:1' });
    expect((await request(example.url + path('readinessProbe'))).status).toBe(503);
    expect((await request(example.url + path('livenessProbe'))).status).toBe(200);
  });

  it('give enough time: to be taken out, and then to let the streams go', () => {
    const sleepSeconds = Number(/sleep (\d+)$/.exec(preStop[2] ?? '')?.[1]);
    const { periodSeconds, failureThreshold } = Object(at(container, 'readinessProbe'));
    expect(failureThreshold).toBe(1);
    expect(sleepSeconds).toBeGreaterThan(2 * periodSeconds);
    const grace = list(at(container, 'env')).find((each) => at(each, 'name') === 'GRACE_MS');
    const graceSeconds = Number(at(grace, 'value')) / 1000;
    expect(graceSeconds).toBeGreaterThanOrEqual(5);
    expect(at(pod, 'terminationGracePeriodSeconds')).toBeGreaterThan(sleepSeconds + graceSeconds + 5);
  });

  it('keep instances while they are replaced, and go down slowly', () => {
    expect(at(deployment, 'spec', 'strategy', 'rollingUpdate')).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    const spec = at(manifest('HorizontalPodAutoscaler'), 'spec');
    expect(at(spec, 'minReplicas')).toBeGreaterThan(1);
    expect(at(deployment, 'spec', 'replicas')).toBeUndefined();
    expect(at(spec, 'behavior', 'scaleDown', 'stabilizationWindowSeconds')).toBeGreaterThanOrEqual(300);
    // A pod goes only after the streams of the one before have.
    const [policy] = list(at(spec, 'behavior', 'scaleDown', 'policies'));
    expect(policy).toMatchObject({ type: 'Pods', value: 1 });
    expect(at(policy, 'periodSeconds')).toBeGreaterThan(Number(at(pod, 'terminationGracePeriodSeconds')));
    // What is measured by its share of the request needs one.
    for (const metric of list(at(spec, 'metrics'))) {
      expect(at(container, 'resources', 'requests', String(at(metric, 'resource', 'name')))).toBeDefined();
    }
  });

  it('run without rights', () => {
    expect(at(pod, 'securityContext')).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(at(container, 'securityContext')).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    const user = `${at(pod, 'securityContext', 'runAsUser')}:${at(pod, 'securityContext', 'runAsGroup')}`;
    expect(readFileSync(`${FOLDER}/Dockerfile`, 'utf8')).toContain(`\nUSER ${user}\n`);
  });

  it('let the ingress neither hold events back nor end a stream that has heartbeats', () => {
    const annotation = (name: string) =>
      at(manifest('Ingress'), 'metadata', 'annotations', `nginx.ingress.kubernetes.io/${name}`);
    expect(annotation('proxy-buffering')).toBe('off');
    expect(Number(annotation('proxy-read-timeout'))).toBeGreaterThan(2 * 15);
  });
});

describe('the Compose file', () => {
  const [file] = documents('compose.yaml');
  const service = (name: string) => at(file, 'services', name);

  it('builds the image of the example, whose health it waits for', () => {
    expect(at(service('app'), 'build')).toEqual({
      context: '../..',
      dockerfile: `${FOLDER}/Dockerfile`,
      args: { EXAMPLE_PATH: serverFile },
    });
    expect(at(service('app'), 'deploy', 'replicas')).toBeGreaterThan(1);
    expect(at(service('proxy'), 'depends_on', 'app')).toEqual({ condition: 'service_healthy' });
    expect(at(service('app'), 'depends_on', 'redis')).toEqual({ condition: 'service_healthy' });
    expect(list(at(service('redis'), 'healthcheck', 'test')).join(' ')).toBe('CMD redis-cli ping');
  });

  it('points the instances to its Redis, and nginx to the instances', () => {
    const environment = Object(at(service('app'), 'environment'));
    expect(new URL(environment.REDIS_URL).hostname).toBe('redis');
    for (const name of Object.keys(environment)) expect(settings).toContain(name);
    const nginx = readFileSync(`${FOLDER}/nginx.conf`, 'utf8');
    expect(nginx).toContain('server app:3000 ');
    const [published] = list(at(service('proxy'), 'ports'));
    expect(nginx).toContain(`listen ${String(published).split(':')[1]};`);
    expect(at(service('proxy'), 'volumes')).toEqual(['./nginx.conf:/etc/nginx/nginx.conf:ro']);
    // Only the proxy can be reached from outside.
    for (const name of ['app', 'redis']) expect(at(service(name), 'ports'), name).toBeUndefined();
  });

  it('gives the streams time to go, and no rights', () => {
    const seconds = Number(/^(\d+)s$/.exec(String(at(service('app'), 'stop_grace_period')))?.[1]);
    expect(seconds * 1000).toBeGreaterThan(Number(at(service('app'), 'environment', 'GRACE_MS')));
    expect(service('app')).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
    expect(at(service('app'), 'security_opt')).toEqual(['no-new-privileges:true']);
  });

  it('names images by version', () => {
    for (const name of ['proxy', 'redis']) expect(at(service(name), 'image')).toMatch(/:\d+(\.\d+)*-/);
  });
});

describe('the configuration of Envoy', () => {
  const [file] = documents('envoy.yaml');
  const manager = at(file, 'static_resources', 'listeners', 0, 'filter_chains', 0, 'filters', 0, 'typed_config');
  const routes = list(at(manager, 'route_config', 'virtual_hosts', 0, 'routes'));
  const cluster = at(file, 'static_resources', 'clusters', 0);

  /** The first route that takes a path, as Envoy chooses; a regular expression has to match it whole. */
  const routeOf = (path: string) =>
    routes.find((each) => {
      const regex = at(each, 'match', 'safe_regex', 'regex');
      if (regex !== undefined) return new RegExp(`^(?:${regex})$`).test(path);
      return path.startsWith(String(at(each, 'match', 'prefix')));
    });

  it('ends no stream by the time it lasts, and a dead one by its silence', () => {
    for (const path of ['/sse', '/acme/sse']) expect(at(routeOf(path), 'route', 'timeout'), path).toBe('0s');
    expect(at(routeOf('/notify/ann'), 'route', 'timeout')).toBe('15s');
    expect(Number.parseInt(String(at(manager, 'stream_idle_timeout')), 10)).toBeGreaterThan(2 * 15);
  });

  it('asks for readiness, leads to the instances, and keeps what is private', () => {
    expect(at(cluster, 'health_checks', 0, 'http_health_check', 'path')).toBe('/readyz');
    expect(at(cluster, 'close_connections_on_host_health_failure')).toBe(false);
    for (const route of routes.filter((each) => at(each, 'route') !== undefined)) {
      expect(at(route, 'route', 'cluster')).toBe(at(cluster, 'name'));
    }
    for (const path of ['/healthz', '/readyz', '/stats']) {
      expect(at(routeOf(path), 'direct_response', 'status'), path).toBe(404);
    }
  });
});
