import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { type Entry, type Options, open as openZip, type ZipFile } from 'yauzl';
import { RuntimeUnavailableError } from '../errors.js';
import { cacheFolder, requireSpace, withLock } from './cache.js';
import { type Libtorch, probe } from './libtorch.js';

/** What is fetched: pinned, so that a changed file is noticed. Libraries are keyed by their name in the wheel's torch/lib. */
export const wheel = {
	version: '1.11.0',
	file: 'torch-1.11.0-cp310-cp310-manylinux1_x86_64.whl',
	sha256: '62052b50fffc29ca7afc0c04ef8206b6f1ca9d10629cb543077e12967e8d0398',
	/** Bytes of disk while unpacking: the wheel and what is kept of it. */
	space: 1_300_000_000,
	libraries: {
		'libc10.so': 'ad22576fa3ddec246349aeeb94efd25365a407e94cd5cb76aab58f40f5c3bfc3',
		'libcudart-80664282.so.10.2': 'd63da6a6827ab4189cbc9504b5dcc84065e11e09f8830ee2338a53b79f89a078',
		'libgomp-a34b3233.so.1': '7923ba20d384f3019038ceeb8f0ad070391412b4cc5a206589abcf5b6fc68352',
		'libtorch_cpu.so': '7a368290593aeb0edf5bd8cdf87e3516c355f11661ef64b9d6f650e960846d7b',
	},
} as const;

/** pip's arguments: the tags are named because the wheel exists for no newer Python. */
export const pipArguments = [
	...['-m', 'pip', 'download', `torch==${wheel.version}`, '--no-deps', '--no-cache-dir', '--only-binary=:all:'],
	...['--python-version', '3.10', '--implementation', 'cp', '--abi', 'cp310', '--platform', 'manylinux1_x86_64'],
];

export interface SetupOptions {
	/** A wheel, a zip or an unpacked folder to take instead of pip's download. */
	readonly from?: string | undefined;
	readonly env?: NodeJS.ProcessEnv;
}

async function sha256(path: string): Promise<string> {
	const hash = createHash('sha256');
	await pipeline(createReadStream(path), hash);
	return hash.digest('hex');
}

function mismatch(path: string, expected: string, got: string): RuntimeUnavailableError {
	return new RuntimeUnavailableError('HASH_MISMATCH', `Expected SHA-256 ${expected} of ${path}, found ${got}; nothing was kept`, {
		fix: ['npx distiltune setup'],
	});
}

async function check(path: string, expected: string): Promise<void> {
	const got = await sha256(path);
	if (got !== expected) throw mismatch(path, expected, got);
}

function pipDownload(folder: string): Promise<string> {
	return new Promise((resolve, reject) => {
		const python = process.platform === 'win32' ? 'python' : 'python3';
		const child = spawn(python, [...pipArguments, '--dest', folder], { stdio: ['ignore', 'ignore', 'pipe'] });
		let said = '';
		child.stderr.on('data', (piece: Buffer) => {
			said = (said + piece).slice(-2000);
		});
		const refuse = (why: string) =>
			reject(
				new RuntimeUnavailableError('DOWNLOAD_FAILED', `Expected pip to fetch torch ${wheel.version}, but ${why}`, {
					hint: 'Install pip (apt-get install python3-pip), or take the wheel from elsewhere: npx distiltune setup --from FILE',
				}),
			);
		child.on('error', () => refuse(`${python} is not on this machine`));
		child.on('close', (code) => {
			const file = readdirSync(folder).find((name) => name.endsWith('.whl'));
			if (code === 0 && file) resolve(join(folder, file));
			else refuse(`it ended with ${code}: ${said.trim().split('\n').at(-1) ?? ''}`);
		});
	});
}

/** Path under torch/ of an archive member that is kept; undefined for the others. */
export function keptMember(name: string): string | undefined {
	if (name.endsWith('/') || name.split('/').includes('..')) return undefined;
	if (/^torch-[^/]+\.dist-info\/(LICENSE|NOTICE)$/.test(name)) return basename(name);
	const inside = name.replace(/^(torch|libtorch)\//, '');
	if (/^(include\/.+|version\.py|build-version)$/.test(inside)) return inside;
	return /^lib\/lib(c10|torch_cpu|cudart-[^/]+|gomp-[^/]+)\.(so|dylib)[^/]*$/.test(inside) ? inside : undefined;
}

const openArchive = promisify((path: string, options: Options, done: (error: Error | null, zip: ZipFile) => void) => openZip(path, options, done));

/** Unpacks what is kept of a wheel or an official zip into `folder`. */
export async function unpack(archive: string, folder: string): Promise<void> {
	const zip = await openArchive(archive, { lazyEntries: true, autoClose: false });
	try {
		const stream = promisify((entry: Entry, done: (error: Error | null, stream: Readable) => void) => zip.openReadStream(entry, done));
		await new Promise<void>((resolve, reject) => {
			zip.on('error', reject);
			zip.on('end', resolve);
			zip.on('entry', (entry: Entry) => {
				const kept = keptMember(entry.fileName);
				if (kept === undefined) return zip.readEntry();
				const target = join(folder, kept);
				mkdirSync(dirname(target), { recursive: true });
				stream(entry)
					.then((data) => pipeline(data, createWriteStream(target)))
					.then(() => zip.readEntry(), reject);
			});
			zip.readEntry();
		});
	} finally {
		zip.close();
	}
}

/** Brings the files into `folder`/torch; returns where they came from. */
async function fetchInto(folder: string, options: SetupOptions, onProgress: (line: string) => void): Promise<string> {
	const target = join(folder, 'torch');
	if (options.from === undefined) {
		if ((options.env ?? process.env).DISTILTUNE_OFFLINE === '1')
			throw new RuntimeUnavailableError('DOWNLOAD_REFUSED_OFFLINE', 'Expected to fetch libtorch, but DISTILTUNE_OFFLINE=1 forbids it', {
				fix: [`npx distiltune setup --from ${wheel.file}`],
			});
		onProgress(`Fetching torch ${wheel.version} through pip (750 MB) ...`);
		const file = await pipDownload(folder);
		onProgress('Checking and unpacking ...');
		await check(file, wheel.sha256);
		await unpack(file, target);
		rmSync(file);
		return 'pip';
	}
	if (!existsSync(options.from))
		throw new RuntimeUnavailableError('LIBTORCH_BAD_PATH', `Expected a wheel, a zip or a folder, found nothing at ${options.from}`);
	onProgress(`Taking libtorch from ${options.from} ...`);
	if (statSync(options.from).isDirectory()) {
		const found = probe(options.from, 'folder');
		if (typeof found === 'string') throw new RuntimeUnavailableError('LIBTORCH_BAD_PATH', `Expected libtorch in ${options.from}: ${found}`);
		const root = dirname(found.lib);
		await cp(root, target, {
			recursive: true,
			dereference: true,
			filter: (path) => path === root || statSync(path).isDirectory() || keptMember(path.slice(root.length + 1).replaceAll('\\', '/')) !== undefined,
		});
	} else {
		if (basename(options.from) === wheel.file) await check(options.from, wheel.sha256);
		await unpack(options.from, target);
	}
	return options.from;
}

async function checkLibraries(torch: string): Promise<Record<string, { size: number; sha256: string }>> {
	const found = probe(torch, 'setup');
	if (typeof found === 'string') throw new RuntimeUnavailableError('LIBTORCH_BAD_PATH', `Expected libtorch among the files: ${found}`);
	const libraries: Record<string, { size: number; sha256: string }> = {};
	const pins: Readonly<Record<string, string>> =
		found.key === 'torch1.11-pre' && process.platform === 'linux' && process.arch === 'x64' ? wheel.libraries : {};
	for (const name of readdirSync(found.lib)) {
		const path = join(found.lib, name);
		const hash = await sha256(path);
		const pin = pins[name];
		if (pin !== undefined && pin !== hash) throw mismatch(path, pin, hash);
		libraries[name] = { size: statSync(path).size, sha256: hash };
	}
	return libraries;
}

/**
 * Puts libtorch into the per-user cache; a second call finds it there and does nothing. A killed run leaves only a
 * temporary folder, which the next run removes. Throws DOWNLOAD_FAILED, DOWNLOAD_REFUSED_OFFLINE, HASH_MISMATCH, DISK_FULL,
 * LIBTORCH_BAD_PATH.
 */
export async function runSetup(options: SetupOptions = {}, onProgress: (line: string) => void = () => {}): Promise<Libtorch> {
	const root = join(cacheFolder(options.env), 'libtorch');
	const place = join(root, wheel.version);
	const ready = () => {
		const found = existsSync(join(place, 'complete.json')) ? probe(join(place, 'torch'), 'cache') : 'incomplete';
		return typeof found === 'string' ? undefined : found;
	};
	const there = ready();
	if (there && options.from === undefined) return there;
	mkdirSync(root, { recursive: true });
	const waiting = (pid: number) => onProgress(`Waiting for another setup (process ${pid}) ...`);
	return withLock(
		join(root, 'lock'),
		async () => {
			const meanwhile = ready();
			if (meanwhile && options.from === undefined) return meanwhile;
			for (const name of readdirSync(root)) if (name.startsWith('.partial-')) rmSync(join(root, name), { recursive: true });
			if (options.from === undefined) requireSpace(root, wheel.space);
			const partial = join(root, `.partial-${randomBytes(6).toString('hex')}`);
			mkdirSync(partial);
			try {
				const source = await fetchInto(partial, options, onProgress);
				const libraries = await checkLibraries(join(partial, 'torch'));
				const found = probe(join(partial, 'torch'), 'cache') as Libtorch;
				writeFileSync(
					join(partial, 'complete.json'),
					`${JSON.stringify({ key: found.key, version: found.version, source, libraries }, null, '\t')}\n`,
				);
				rmSync(place, { recursive: true, force: true });
				renameSync(partial, place);
			} finally {
				rmSync(partial, { recursive: true, force: true });
			}
			onProgress(`libtorch is in ${place}`);
			return ready() as Libtorch;
		},
		waiting,
	);
}

/** Removes libtorch and the engines built for it from the per-user cache. */
export function cleanCache(env: NodeJS.ProcessEnv = process.env): void {
	for (const name of ['libtorch', 'engines']) rmSync(join(cacheFolder(env), name), { recursive: true, force: true });
}
