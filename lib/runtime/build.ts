import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RuntimeUnavailableError } from '../errors.js';
import { cacheFolder } from './cache.js';
import type { Libtorch } from './libtorch.js';

/** Folder of package.json, native/ and CMakeLists.txt. */
export const packageRoot = fileURLToPath(new URL('../../', import.meta.url));
const require = createRequire(import.meta.url);

export interface BuildOptions {
	/** Receives the compiler's output, in pieces. */
	readonly onOutput?: (text: string) => void;
	/** cmake program; default: the one on PATH. */
	readonly cmake?: string | undefined;
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

function run(args: readonly string[], options: BuildOptions): Promise<void> {
	return new Promise((resolve, reject) => {
		const child = spawn(process.execPath, args, { cwd: packageRoot, stdio: ['ignore', 'pipe', 'pipe'] });
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
				new RuntimeUnavailableError('BUILD_FAILED', `Expected the build to pass, but CMake or the compiler ended with ${code}:\n${tail}`, {
					fix: ['npx distiltune doctor'],
				}),
			);
		});
	});
}

/** Builds one CMake target in `folder`, unless nothing changed since; returns whether it compiled. `output`: a file under `folder` that the target leaves. */
export async function buildTarget(
	target: string | undefined,
	folder: string,
	output: string | undefined,
	definitions: readonly string[],
	options: BuildOptions,
): Promise<boolean> {
	const stamp = join(folder, 'distiltune-sources');
	const hash = sourceHash(definitions);
	if ((!output || existsSync(join(folder, output))) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return false;
	const cmakeJs = join(dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
	const napi = dirname(require.resolve('node-addon-api/package.json'));
	const headers = join(dirname(require.resolve('node-api-headers/package.json')), 'include');
	const all = [`NODE_API_DIR=${napi}`, `NODE_API_HEADERS=${headers}`, ...definitions].map((each) => `--CD${each}`);
	const common = ['-d', packageRoot, '-O', folder, ...(options.cmake ? ['-c', options.cmake] : []), ...all];
	await run([cmakeJs, 'configure', ...common], options);
	const jobs = String(Math.min(availableParallelism(), 8));
	await run([cmakeJs, 'build', ...common, '-p', jobs, ...(target ? ['-T', target] : [])], options);
	writeFileSync(stamp, hash);
	return true;
}

/** Copies by temporary name, so that a process that has the old file mapped keeps it. */
function install(from: string, to: string): void {
	mkdirSync(dirname(to), { recursive: true });
	copyFileSync(from, `${to}.tmp`);
	renameSync(`${to}.tmp`, to);
}

/** CMake definitions that name `libtorch`. Throws HEADERS_MISSING where it has no headers. */
export function libtorchDefinitions(libtorch: Libtorch): string[] {
	if (!libtorch.include)
		throw new RuntimeUnavailableError('HEADERS_MISSING', `Expected libtorch headers beside ${libtorch.lib}, found none`, {
			fix: ['npx distiltune setup'],
		});
	return [
		`DISTILTUNE_LIBTORCH=${dirname(libtorch.lib)}`,
		`DISTILTUNE_LIBTORCH_LIB=${libtorch.lib}`,
		`DISTILTUNE_LIBTORCH_INCLUDE=${libtorch.include}`,
		`DISTILTUNE_CXX11_ABI=${libtorch.abi === 'cxx11' ? 1 : 0}`,
	];
}

/** Builds base into build/Release/base.node of the package. */
export async function buildBase(options: BuildOptions = {}): Promise<string> {
	const output = join(packageRoot, 'build', 'Release', 'base.node');
	const folder = join(packageRoot, 'build-cmake', 'base');
	const changed = await buildTarget('base', folder, join('Release', 'base.node'), [], options);
	if (changed || !existsSync(output)) install(join(folder, 'Release', 'base.node'), output);
	return output;
}

/** Builds the engine for `libtorch`: in a clone under build/<key>, with `toCache` in the per-user cache. Returns its file. */
export async function buildEngine(libtorch: Libtorch, options: BuildOptions & { readonly toCache?: boolean } = {}): Promise<string> {
	const root = options.toCache ? cachedEngineFolder(libtorch.key) : join(packageRoot, 'build', libtorch.key);
	const folder = options.toCache ? join(root, 'cmake') : join(packageRoot, 'build-cmake', libtorch.key);
	const output = join(root, 'build', 'Release', 'engine.node');
	const changed = await buildTarget('engine', folder, join('Release', 'engine.node'), libtorchDefinitions(libtorch), options);
	if (changed || !existsSync(output)) install(join(folder, 'Release', 'engine.node'), output);
	return output;
}
