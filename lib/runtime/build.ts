import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RuntimeUnavailableError } from '../errors.js';
import { cacheFolder, onDisk, withLock } from './cache.js';
import type { Libtorch } from './libtorch.js';
import { findCMake, requireCompiler } from './toolchain.js';

/** Folder of package.json, native/ and CMakeLists.txt. */
export const packageRoot = fileURLToPath(new URL('../../', import.meta.url));
const require = createRequire(import.meta.url);

export interface BuildOptions {
	/** Receives the compiler's output, in pieces. */
	readonly onOutput?: (text: string) => void;
}

export function packageVersion(): string {
	return JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).version;
}

/** Where a user's own engine for `key` lies: a root that node-gyp-build understands. */
export function cachedEngineFolder(key: string, env: NodeJS.ProcessEnv = process.env): string {
	return join(cacheFolder(env), 'engines', packageVersion(), key);
}

function sourceHash(definitions: readonly string[]): string {
	const hash = createHash('sha256').update(definitions.join('\n'));
	const add = (path: string) => hash.update(path).update(readFileSync(join(packageRoot, path)));
	add('CMakeLists.txt');
	const names = readdirSync(join(packageRoot, 'native'), { recursive: true, encoding: 'utf8' });
	for (const name of names.sort()) if (/\.(cpp|h|inc|map)$/.test(name)) add(join('native', name));
	return hash.digest('hex');
}

function run(command: string, args: readonly string[], options: BuildOptions): Promise<void> {
	return new Promise((resolve, reject) => {
		const child = spawn(command, args, { cwd: packageRoot, stdio: ['ignore', 'pipe', 'pipe'] });
		let tail = '';
		const take = (piece: Buffer) => {
			tail = (tail + piece.toString()).slice(-4000);
			options.onOutput?.(piece.toString());
		};
		child.stdout.on('data', take);
		child.stderr.on('data', take);
		child.on('error', reject);
		child.on('close', (code) => {
			if (code === 0) return resolve();
			reject(
				new RuntimeUnavailableError('BUILD_FAILED', `Expected the build to pass, but ${basename(command)} ended with ${code}`, {
					details: { output: tail },
				}),
			);
		});
	});
}

/** Builds CMake targets in `folder`, unless they were built there and nothing has changed since. */
async function buildTargets(targets: readonly string[], folder: string, definitions: readonly string[], options: BuildOptions): Promise<void> {
	const stamp = join(folder, `built-${targets.join('-')}`);
	const hash = sourceHash(definitions);
	if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
	requireCompiler();
	const cmake = await findCMake((text) => options.onOutput?.(text));
	const cmakeJs = join(dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
	const napi = dirname(require.resolve('node-addon-api/package.json'));
	const headers = join(dirname(require.resolve('node-api-headers/package.json')), 'include');
	const all = [`NODE_API_DIR=${napi}`, `NODE_API_HEADERS=${headers}`, ...definitions].map((each) => `--CD${each}`);
	const program = cmake === 'cmake' ? [] : ['-c', cmake];
	const configure = () => run(process.execPath, [cmakeJs, 'configure', '-d', packageRoot, '-O', folder, ...program, ...all], options);
	const jobs = String(Math.min(availableParallelism(), 8));
	const locked = async () => {
		const before = existsSync(join(folder, 'CMakeCache.txt'));
		await configure().catch((error) => {
			if (!before) throw error;
			rmSync(folder, { recursive: true }); // CMake refuses what another generator, or the clone's former place, left there
			return configure();
		});
		await run(cmake, ['--build', folder, '--config', 'Release', '--parallel', jobs, '--target', ...targets], options);
		writeFileSync(stamp, hash);
	};
	await onDisk(dirname(folder), () => withLock(`${folder}.lock`, locked));
}

/** Copies by temporary name, so that a process that has the old file mapped keeps it; the same bytes stay. */
function install(from: string, to: string): string {
	if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) return to;
	mkdirSync(dirname(to), { recursive: true });
	const fresh = `${to}.${process.pid}`;
	copyFileSync(from, fresh);
	renameSync(fresh, to);
	return to;
}

/** CMake definitions that name `libtorch`. Throws HEADERS_MISSING where it has no headers. */
export function libtorchDefinitions(libtorch: Libtorch): string[] {
	if (!libtorch.include)
		throw new RuntimeUnavailableError('HEADERS_MISSING', `Expected libtorch headers beside ${libtorch.lib}, found none`, {
			fix: [libtorch.source === 'system' ? 'apt-get install libtorch-dev' : 'npx distiltune setup'],
		});
	return [
		`DISTILTUNE_LIBTORCH=${dirname(libtorch.lib)}`,
		`DISTILTUNE_LIBTORCH_LIB=${libtorch.lib}`,
		`DISTILTUNE_LIBTORCH_INCLUDE=${libtorch.include}`,
		`DISTILTUNE_CXX11_ABI=${libtorch.abi === 'cxx11' ? 1 : 0}`,
	];
}

const cmakeFolder = (name: string) => join(packageRoot, 'build-cmake', name);
const installBase = (folder: string) => install(join(folder, 'Release', 'base.node'), join(packageRoot, 'build', 'Release', 'base.node'));
const installEngine = (folder: string, root: string) =>
	install(join(folder, 'Release', 'engine.node'), join(root, 'build', 'Release', 'engine.node'));

/** Folder of the test programs built for `libtorch`. */
export function testPrograms(libtorch: Libtorch): string {
	return cmakeFolder(libtorch.key);
}

/** Builds base alone, for which no libtorch is needed. Returns its file. */
export async function buildBase(options: BuildOptions = {}): Promise<string> {
	await buildTargets(['base'], cmakeFolder('base'), [], options);
	return installBase(cmakeFolder('base'));
}

/** Builds what a clone runs: base, the engine for `libtorch` and, with `tests`, every program of native/<room>/test. */
export async function buildClone(libtorch: Libtorch, options: BuildOptions & { readonly tests?: boolean } = {}): Promise<void> {
	const folder = cmakeFolder(libtorch.key);
	const definitions = [...libtorchDefinitions(libtorch), 'DISTILTUNE_TESTS=ON'];
	await buildTargets(['base', 'engine', ...(options.tests ? ['native_tests'] : [])], folder, definitions, options);
	installBase(folder);
	installEngine(folder, join(packageRoot, 'build', libtorch.key));
}

/** Builds the test programs of native/kernels with emulated AVX-512. Returns their folder. */
export async function buildEmulatedTests(options: BuildOptions = {}): Promise<string> {
	await buildTargets(['native_tests'], cmakeFolder('emulated'), ['DISTILTUNE_TESTS=ON', 'DISTILTUNE_EMULATE=ON'], options);
	return cmakeFolder('emulated');
}

/** Builds the engine for `libtorch` into the per-user cache. Returns its file. */
export async function buildEngine(libtorch: Libtorch, options: BuildOptions = {}): Promise<string> {
	const root = cachedEngineFolder(libtorch.key);
	const folder = join(root, 'cmake');
	await buildTargets(['engine'], folder, libtorchDefinitions(libtorch), options);
	return installEngine(folder, root);
}
