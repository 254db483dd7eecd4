import { createRequire } from 'node:module';
import { join } from 'node:path';
import { messageOf, SSEKifyError, show } from '../errors.js';

type Constructor = new (...args: unknown[]) => unknown;

function isConstructor(value: unknown): value is Constructor {
  return typeof value === 'function';
}

/**
 * Loads an optional package: as ssekify itself would find it, or else as the application would. Within a bundle that is an ES
 * module the first may not even be asked for: there is no `__filename`, which this becomes when it is built.
 */
export function loadOptional(name: string, what: string): unknown {
  const failures: unknown[] = [];
  for (const from of [() => import.meta.url, () => join(process.cwd(), 'index.js')]) {
    try {
      return createRequire(from())(name);
    } catch (cause) {
      failures.push(cause);
    }
  }
  throw new SSEKifyError(
    'REDIS_CLIENT_MISSING',
    `${what} needs the package ${name}, which could not be loaded. Install it: npm install ${name}`,
    { cause: failures[0] },
  );
}

const exported = (module: unknown, name: string): unknown => Reflect.get(Object(module), name);

const exportsNo = (name: string) =>
  new SSEKifyError('REDIS_CLIENT_MISSING', `the package that was loaded exports no ${name}.`);

/** A class that a package exports under this name, or is itself. */
export function constructorIn(module: unknown, name: string): Constructor {
  const named = exported(module, name);
  if (isConstructor(named)) return named;
  if (isConstructor(module)) return module;
  throw exportsNo(name);
}

/** A function that a package exports under this name. */
export function functionIn(module: unknown, name: string): (...args: unknown[]) => unknown {
  const named = exported(module, name);
  if (typeof named === 'function') return (...args) => named(...args);
  throw exportsNo(name);
}

/** Nothing, which leads to the Redis of this machine, or a URL that is taken for a path, which errors show with its password. */
const NOWHERE = /^(?!(rediss?|unix):\/\/|\/)(.*[:/]\/|$)/i;

/** Makes a client; where it throws, for a URL that it cannot read for example, the target is to blame. */
export function made(target: unknown, make: () => unknown): unknown {
  if (typeof target === 'string' && NOWHERE.test(target)) {
    throw new SSEKifyError('INVALID_OPTION', `target is ${show(target)}: expected a redis:// or rediss:// URL.`);
  }
  try {
    return make();
  } catch (cause) {
    // The cause stays here: the URL parser's has the whole URL in it, with its password.
    throw new SSEKifyError('INVALID_OPTION', `target is ${show(target)}: ${messageOf(cause)}.`);
  }
}
