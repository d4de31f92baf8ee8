import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { RuntimeUnavailableError } from '../errors.js';
import { keptMember, unpack } from './archive.js';
import { cacheFolder, onDisk, requireSpace, tokensFolder, withLock } from './cache.js';
import { sha256OfFile } from './hash.js';
import { type InstallRecord, installFolder } from './installed.js';
import { cachedLibtorch, type Libtorch, probe } from './libtorch.js';
import { pipCommand, pipDownload } from './pip.js';
import { torchVersion, type Wheel, wheelFor, wheelNamed } from './wheels.js';

export interface SetupOptions {
	/** A wheel, a zip or an unpacked folder to take instead of pip's download. Replaces what is there. */
	readonly from?: string | undefined;
	/** SHA-256 that the file of `from` must have, in place of the pinned one. */
	readonly sha256?: string | undefined;
	/** Take a file of `from` that no pin is known for. */
	readonly allowUnpinned?: boolean | undefined;
	readonly env?: NodeJS.ProcessEnv;
}

/** What came, before it is looked at. */
interface Fetched {
	readonly source: string;
	/** SHA-256 of each library, where the archive was one we know. */
	readonly pins: Readonly<Record<string, string>>;
	/** SHA-256 of the archive; none for a folder. */
	readonly archive?: string;
}

type Progress = (line: string) => void;

function mismatch(path: string, expected: string, got: string): RuntimeUnavailableError {
	return new RuntimeUnavailableError('HASH_MISMATCH', `Expected SHA-256 ${expected} of ${path}, found ${got}; nothing was kept`, {
		fix: ['npx distiltune setup'],
	});
}

/** The wheel of this platform; throws LIBTORCH_UNSUPPORTED where there is none. */
function wheelHere(): Wheel {
	const wheel = wheelFor();
	if (wheel) return wheel;
	throw new RuntimeUnavailableError(
		'LIBTORCH_UNSUPPORTED',
		`Expected a platform with a libtorch ${torchVersion} wheel, found ${process.platform} ${process.arch}`,
		{ hint: 'Name a libtorch of your own in DISTILTUNE_LIBTORCH' },
	);
}

/** What to carry to a machine without a network, and how it is fetched elsewhere. */
export function fetchInstructions(): { readonly file: string; readonly sha256: string; readonly fetch: string; readonly install: string } {
	const wheel = wheelHere();
	return { file: wheel.file, sha256: wheel.sha256, fetch: pipCommand(wheel), install: `npx distiltune setup --from ${wheel.file}` };
}

async function fromPip(folder: string, env: NodeJS.ProcessEnv, onProgress: Progress): Promise<Fetched> {
	const wheel = wheelHere();
	if (env.DISTILTUNE_OFFLINE === '1')
		throw new RuntimeUnavailableError('DOWNLOAD_REFUSED_OFFLINE', 'Expected to fetch libtorch, but DISTILTUNE_OFFLINE=1 forbids it', {
			fix: [`npx distiltune setup --from ${wheel.file}`],
		});
	// pip copies the wheel out of its temporary folder.
	requireSpace(dirname(folder), 2 * wheel.bytes + wheel.kept);
	const all = `of ${Math.round(wheel.bytes / 1e6)} MB`;
	onProgress(`Fetching libtorch ${torchVersion} through pip, once: a wheel ${all} ...`);
	const file = await pipDownload(wheel, folder, (bytes) => onProgress(`  ${Math.round(bytes / 1e6)} ${all}`));
	onProgress('Checking and unpacking ...');
	const got = await sha256OfFile(file);
	if (got !== wheel.sha256) throw mismatch(file, wheel.sha256, got);
	await unpack(file, join(folder, 'torch'));
	rmSync(file);
	return { source: 'pip', pins: wheel.libraries, archive: got };
}

async function fromFile(path: string, target: string, options: SetupOptions): Promise<Fetched> {
	const known = wheelNamed(basename(path));
	const expected = options.sha256?.toLowerCase() ?? known?.sha256;
	if (expected === undefined && !options.allowUnpinned)
		throw new RuntimeUnavailableError('HASH_UNKNOWN', `Expected a file with a known SHA-256, and none is known for ${basename(path)}`, {
			hint: 'Say it with --sha256 HEX, or take the file as it is with --allow-unpinned',
		});
	const got = await sha256OfFile(path);
	if (expected !== undefined && got !== expected) throw mismatch(path, expected, got);
	try {
		await unpack(path, target);
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code !== undefined) throw cause;
		throw new RuntimeUnavailableError('LIBTORCH_BAD_PATH', `Expected a wheel or a zip in ${path}: ${(cause as Error).message}`, { cause });
	}
	return { source: path, pins: got === known?.sha256 ? known.libraries : {}, archive: got };
}

async function fromFolder(path: string, target: string): Promise<Fetched> {
	const found = probe(path, 'folder');
	if (typeof found === 'string') throw new RuntimeUnavailableError('LIBTORCH_BAD_PATH', `Expected libtorch in ${path}: ${found}`);
	const root = dirname(found.lib);
	if (basename(found.lib) !== 'lib')
		throw new RuntimeUnavailableError(
			'LIBTORCH_BAD_PATH',
			`Expected a folder with lib/ and include/ of its own, found the system's libtorch in ${found.lib}`,
			{
				hint: `Use that one where it is: DISTILTUNE_LIBTORCH=${path}`,
			},
		);
	await cp(root, target, {
		recursive: true,
		dereference: true,
		filter: (each) => each === root || statSync(each).isDirectory() || keptMember(each.slice(root.length + 1).replaceAll('\\', '/')) !== undefined,
	});
	return { source: path, pins: {} };
}

async function fetchInto(folder: string, options: SetupOptions, onProgress: Progress): Promise<Fetched> {
	const { from } = options;
	if (from === undefined) return fromPip(folder, options.env ?? process.env, onProgress);
	if (!existsSync(from)) throw new RuntimeUnavailableError('LIBTORCH_BAD_PATH', `Expected a wheel, a zip or a folder, found nothing at ${from}`);
	onProgress(`Taking libtorch from ${from} ...`);
	const target = join(folder, 'torch');
	return statSync(from).isDirectory() ? fromFolder(from, target) : fromFile(from, target, options);
}

/** Hashes what came and leaves complete.json in `folder`. */
async function record(folder: string, { source, pins, archive }: Fetched): Promise<void> {
	const found = probe(join(folder, 'torch'), 'setup');
	if (typeof found === 'string') throw new RuntimeUnavailableError('LIBTORCH_BAD_PATH', `Expected libtorch in what came from ${source}: ${found}`);
	const libraries: Record<string, { size: number; sha256: string }> = {};
	for (const name of readdirSync(found.lib)) {
		const path = join(found.lib, name);
		const hash = await sha256OfFile(path);
		if (pins[name] !== undefined && pins[name] !== hash) throw mismatch(path, pins[name], hash);
		libraries[name] = { size: statSync(path).size, sha256: hash };
	}
	const { key, version } = found;
	const complete: InstallRecord = { key, version, source, ...(archive && { archive }), libraries };
	writeFileSync(join(folder, 'complete.json'), `${JSON.stringify(complete, null, '\t')}\n`);
}

const remove = (path: string) => rmSync(path, { recursive: true, force: true, maxRetries: 5 });

/** Clears what killed runs left; an install that one had moved aside comes back. */
function tidy(root: string, place: string): void {
	for (const name of readdirSync(root)) {
		if (name.startsWith('.old-') && !existsSync(place)) renameSync(join(root, name), place);
		else if (/^\.(old|partial)-/.test(name)) remove(join(root, name));
	}
}

/** Puts `fresh` in the place of the old install; whoever has the old libraries mapped keeps them. */
function replace(place: string, fresh: string, root: string): void {
	const old = join(root, `.old-${randomBytes(6).toString('hex')}`);
	if (existsSync(place)) renameSync(place, old);
	renameSync(fresh, place);
	remove(old);
}

/**
 * Puts libtorch into the per-user cache; a second call finds it there and does nothing. A killed run leaves only a
 * temporary folder, which the next run removes. Throws DOWNLOAD_FAILED, DOWNLOAD_REFUSED_OFFLINE, HASH_MISMATCH, HASH_UNKNOWN,
 * DISK_FULL, CACHE_NOT_WRITABLE, LIBTORCH_BAD_PATH, LIBTORCH_UNSUPPORTED.
 */
export async function runSetup(options: SetupOptions = {}, onProgress: Progress = () => {}): Promise<Libtorch> {
	const place = installFolder(options.env);
	const root = dirname(place);
	const ready = () => {
		const found = options.from === undefined ? cachedLibtorch(options.env) : undefined;
		return typeof found === 'string' ? undefined : found;
	};
	const install = async () => {
		tidy(root, place);
		const meanwhile = ready();
		if (meanwhile) return meanwhile;
		const partial = join(root, `.partial-${randomBytes(6).toString('hex')}`);
		mkdirSync(partial);
		try {
			await record(partial, await fetchInto(partial, options, onProgress));
			replace(place, partial, root);
		} finally {
			remove(partial);
		}
		onProgress(`libtorch is in ${place}`);
		return cachedLibtorch(options.env) as Libtorch;
	};
	const waiting = (pid: number) => onProgress(`Waiting for another setup (process ${pid}) ...`);
	return ready() ?? onDisk(root, () => withLock(join(root, 'lock'), install, waiting));
}

/** Removes what this package ever put into the per-user cache: libtorch, engines built for it, a CMake from pip, tokens of data sets. */
export async function cleanCache(env: NodeJS.ProcessEnv = process.env): Promise<void> {
	const root = dirname(installFolder(env));
	await onDisk(root, () =>
		withLock(join(root, 'lock'), async () => {
			for (const name of readdirSync(root)) if (!name.startsWith('lock-')) remove(join(root, name));
			for (const name of ['engines', 'cmake', 'packed']) remove(join(cacheFolder(env), name));
			remove(tokensFolder(env));
		}),
	);
}
