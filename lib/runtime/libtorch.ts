import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Attempt, RuntimeUnavailableError } from '../errors.js';
import { installFolder, readRecord, sizeFault } from './installed.js';

/** A libtorch as its files tell it; nothing of it has been loaded. */
export interface Libtorch {
	/** Folder of libc10 and libtorch_cpu. */
	readonly lib: string;
	/** Folder of torch/ and ATen/ headers; undefined where only libraries are there. */
	readonly include: string | undefined;
	/** major.minor.patch */
	readonly version: string;
	/** libstdc++'s string ABI; cxx11 on macOS and Windows, which have one. */
	readonly abi: 'pre' | 'cxx11';
	readonly debian: boolean;
	/** torch<major.minor>-<abi>[-deb]: which engine fits. */
	readonly key: string;
	readonly source: string;
}

export interface ResolveOptions {
	/** A root with lib/, a lib folder or a wheel's torch folder. A wrong path is an error, never passed over. */
	readonly libtorch?: string | undefined;
	readonly env?: NodeJS.ProcessEnv;
}

/** Every place looked at, in order, and the libtorch taken, if any. */
export interface Resolution {
	readonly libtorch: Libtorch | undefined;
	readonly tried: readonly Attempt[];
}

const setupFix = ['npx distiltune setup'];
// c10::Error(SourceLocation, std::string) with the old string; every c10 has __cxx11 symbols of a static libstdc++.
const preAbiSymbol = '_ZN3c105ErrorC1ENS_14SourceLocationESs';
let configured: string | undefined;

/** Names the libtorch of this process; undefined takes the name back. */
export function configure(options: { readonly libtorch?: string | undefined }): void {
	configured = options.libtorch;
}

export function libraryFile(folder: string, name: string): string | undefined {
	const pattern = process.platform === 'win32' ? `${name}.dll` : process.platform === 'darwin' ? `lib${name}.dylib` : `lib${name}.so`;
	if (existsSync(join(folder, pattern))) return join(folder, pattern);
	if (process.platform !== 'linux' || !existsSync(folder)) return undefined;
	const versioned = readdirSync(folder).find((file) => file.startsWith(`${pattern}.`));
	return versioned && join(folder, versioned);
}

function contains(path: string, text: string): boolean {
	const file = openSync(path, 'r');
	try {
		const piece = Buffer.alloc(1 << 20);
		let carry = Buffer.alloc(0);
		for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) {
			const window = Buffer.concat([carry, piece.subarray(0, read)]);
			if (window.includes(text)) return true;
			carry = window.subarray(-text.length);
		}
		return false;
	} finally {
		closeSync(file);
	}
}

function text(path: string): string {
	return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function versionOf(root: string, include: string | undefined): string | undefined {
	const header = include ? text(join(include, 'torch/csrc/api/include/torch/version.h')) + text(join(include, 'torch/version.h')) : '';
	const part = (name: string) => new RegExp(`#define\\s+TORCH_VERSION_${name}\\s+(\\d+)`).exec(header)?.[1];
	if (part('MAJOR')) return `${part('MAJOR')}.${part('MINOR')}.${part('PATCH') ?? 0}`;
	const stated = text(join(root, 'version.py')) + text(join(root, 'build-version'));
	return /(\d+\.\d+\.\d+)/.exec(stated)?.[1];
}

/** Debian keeps libraries of each architecture apart. */
const multiarch = join('lib', `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`);

/** Reads the libtorch in `place`, a root or its lib folder, or says in a few words why there is none. */
export function probe(place: string, source: string): Libtorch | string {
	const given = resolve(place);
	if (!existsSync(given)) return 'no such folder';
	const above = basename(given) === 'lib' ? dirname(given) : dirname(dirname(given));
	for (const [root, lib] of [
		[given, join(given, 'lib')],
		[given, join(given, multiarch)],
		[above, given],
	] as const)
		if (libraryFile(lib, 'c10')) return probeFolders(root, lib, source);
	return 'no c10 library in it or in its lib folder';
}

function probeFolders(root: string, lib: string, source: string): Libtorch | string {
	const c10 = libraryFile(lib, 'c10');
	if (!c10 || !libraryFile(lib, 'torch_cpu')) return `no c10 and torch_cpu libraries in ${lib}`;
	const headers = join(root, 'include');
	const include = existsSync(join(headers, 'ATen')) ? headers : undefined;
	const version = versionOf(root, include);
	if (!version) return 'no version in version.py, build-version or torch/version.h';
	const abi = process.platform === 'linux' && contains(c10, preAbiSymbol) ? 'pre' : 'cxx11';
	const debian = include !== undefined && /^#define\s+C10_USE_GLOG/m.test(text(join(include, 'c10/macros/cmake_macros.h')));
	const minor = version.split('.').slice(0, 2).join('.');
	return { lib, include, version, abi, debian, key: `torch${minor}-${abi}${debian ? '-deb' : ''}`, source };
}

/** The libtorch that setup put into the cache, with every library as long as it was written; or why there is none. */
export function cachedLibtorch(env: NodeJS.ProcessEnv = process.env): Libtorch | string {
	const folder = installFolder(env);
	const record = readRecord(folder);
	if (!record) return 'not set up';
	const fault = sizeFault(folder, record);
	return fault === undefined ? probe(join(folder, 'torch'), 'cache') : `damaged: ${fault}`;
}

function pythonFolders(env: NodeJS.ProcessEnv): string[] {
	return [env.VIRTUAL_ENV, env.CONDA_PREFIX].flatMap((prefix) => {
		if (!prefix) return [];
		if (process.platform === 'win32') return [join(prefix, 'Lib', 'site-packages', 'torch')];
		const lib = join(prefix, 'lib');
		const pythons = existsSync(lib) ? readdirSync(lib).filter((name) => /^python3\.\d+$/.test(name)) : [];
		return pythons.map((name) => join(lib, name, 'site-packages', 'torch'));
	});
}

/** Looks in every place, in order: named, environment, cache, Python, Debian. Throws LIBTORCH_BAD_PATH for a bad name. */
export function search(options: ResolveOptions = {}): Resolution {
	const env = options.env ?? process.env;
	const named = options.libtorch ?? configured ?? env.DISTILTUNE_LIBTORCH;
	if (named !== undefined && named !== '') {
		const found = probe(named, (options.libtorch ?? configured) ? 'option' : 'DISTILTUNE_LIBTORCH');
		if (typeof found !== 'string') return { libtorch: found, tried: [{ place: named, found: true, reason: 'named' }] };
		throw new RuntimeUnavailableError('LIBTORCH_BAD_PATH', `Expected libtorch in ${named}, which was named for it: ${found}`, {
			tried: [{ place: named, found: false, reason: found }],
			hint: 'Name a folder with lib/ and include/, or none',
		});
	}
	const tried: Attempt[] = [];
	let taken: Libtorch | undefined;
	const look = (place: string, found: Libtorch | string) => {
		if (typeof found === 'string') tried.push({ place, found: false, reason: found });
		else {
			tried.push({ place, found: true, reason: taken ? `${found.key}, but an earlier place had one` : `${found.key}, taken` });
			taken ??= found;
		}
	};
	look(installFolder(env), cachedLibtorch(env));
	for (const folder of pythonFolders(env)) look(folder, probe(folder, 'python'));
	if (process.platform === 'linux') look(join('/usr', multiarch), probe(join('/usr', multiarch), 'system'));
	return { libtorch: taken, tried };
}

/** The libtorch to use; throws LIBTORCH_NOT_FOUND with every place tried. */
export function resolveLibtorch(options: ResolveOptions = {}): Libtorch {
	const { libtorch, tried } = search(options);
	if (libtorch) return libtorch;
	const places = tried.map((attempt) => `${attempt.place} (${attempt.reason})`).join(', ');
	throw new RuntimeUnavailableError('LIBTORCH_NOT_FOUND', `Expected libtorch in one of: ${places}`, { tried, fix: setupFix });
}
