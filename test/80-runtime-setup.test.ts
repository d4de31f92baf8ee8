import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keptMember } from '../lib/runtime/archive.js';
import { withLock } from '../lib/runtime/cache.js';
import { changedLibraries, installFolder, readRecord } from '../lib/runtime/installed.js';
import { search } from '../lib/runtime/libtorch.js';
import { pipCommand } from '../lib/runtime/pip.js';
import { cleanCache, fetchInstructions, runSetup } from '../lib/runtime/setup.js';
import { wheelFor } from '../lib/runtime/wheels.js';
import { fakeLibtorch, library } from './libtorch.js';
import { zipOf } from './zip.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
let folder = '';
let env: NodeJS.ProcessEnv = {};
let place = '';
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune setup '));
	env = { DISTILTUNE_CACHE_DIR: join(folder, 'cache') };
	place = installFolder(env);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const left = () => readdirSync(dirname(place)).filter((name) => name !== 'installed');

describe('setup from what is at hand', () => {
	it('takes a folder, records every library and clears what a killed run left', async () => {
		mkdirSync(join(dirname(place), '.partial-killed'), { recursive: true });
		const found = await runSetup({ from: fakeLibtorch(join(folder, 'torch'), '2.13.1'), env });
		expect(found).toMatchObject({ version: '2.13.1', source: 'cache', include: join(place, 'torch', 'include') });
		expect(search({ env }).libtorch?.lib).toBe(found.lib);
		expect(Object.keys(readRecord(place)?.libraries ?? {}).sort()).toEqual([library('c10'), library('torch_cpu')].sort());
		expect(left()).toEqual([]);
	});
	it('replaces what was there, and the next setup finds it and does nothing', async () => {
		for (const version of ['1.11.0', '2.13.1']) await runSetup({ from: fakeLibtorch(join(folder, 'torch'), version), env });
		const said: string[] = [];
		expect(await runSetup({ env }, (line) => said.push(line))).toMatchObject({ version: '2.13.1' });
		expect(said).toEqual([]);
		expect(left()).toEqual([]);
	});
	it('keeps the old install where the new one is refused', async () => {
		await runSetup({ from: fakeLibtorch(join(folder, 'torch'), '1.11.0'), env });
		mkdirSync(join(folder, 'empty'));
		await expect(runSetup({ from: join(folder, 'empty'), env })).rejects.toMatchObject({ code: 'LIBTORCH_BAD_PATH' });
		expect(search({ env }).libtorch).toMatchObject({ version: '1.11.0', source: 'cache' });
		expect(left()).toEqual([]);
	});
	it('brings back the install that a run killed between its two renames had moved aside', async () => {
		await runSetup({ from: fakeLibtorch(join(folder, 'torch'), '1.11.0'), env });
		renameSync(place, join(dirname(place), '.old-killed'));
		expect(await runSetup({ env })).toMatchObject({ version: '1.11.0', lib: join(place, 'torch', 'lib') });
	});
	it('says in one sentence that the cache cannot be made', async () => {
		writeFileSync(join(folder, 'cache'), 'a file');
		const from = fakeLibtorch(join(folder, 'torch'), '1.11.0');
		await expect(runSetup({ from, env })).rejects.toMatchObject({ code: 'CACHE_NOT_WRITABLE' });
	});
	it('refuses to fetch when offline', async () => {
		await expect(runSetup({ env: { ...env, DISTILTUNE_OFFLINE: '1' } })).rejects.toMatchObject({ code: 'DOWNLOAD_REFUSED_OFFLINE' });
	});
	it('clean leaves nothing of it, and what is not ours alone', async () => {
		await runSetup({ from: fakeLibtorch(join(folder, 'torch'), '1.11.0'), env });
		for (const name of ['engines', 'packed', 'tokens']) mkdirSync(join(folder, 'cache', name, 'something'), { recursive: true });
		await cleanCache(env);
		const shared = join(folder, 'shared');
		for (const name of ['distiltune-tokens', 'theirs']) mkdirSync(join(shared, name), { recursive: true });
		await cleanCache({ ...env, DISTILTUNE_TOKENS_DIR: shared });
		expect(readdirSync(shared)).toEqual(['theirs']);
		expect(existsSync(place)).toBe(false);
		expect(readdirSync(join(folder, 'cache'))).toEqual(['libtorch']);
		expect(left()).toEqual([]);
	});
});

describe('an archive is taken by its hash', () => {
	const members = {
		'libtorch/build-version': '2.13.0+cpu',
		[`libtorch/lib/${library('c10')}`]: 'c10',
		[`libtorch/lib/${library('torch_cpu')}`]: 'torch_cpu',
		[`libtorch/lib/${library('torch_cuda')}`]: 'left out',
		'libtorch/include/ATen/ATen.h': '',
	};
	const archive = zipOf(members);
	const hash = createHash('sha256').update(archive).digest('hex');
	let from = '';
	beforeEach(() => {
		from = join(folder, 'libtorch.zip');
		writeFileSync(from, archive);
	});

	it('asks for the hash of a file it has no pin for', async () => {
		await expect(runSetup({ from, env })).rejects.toMatchObject({ code: 'HASH_UNKNOWN' });
	});
	it.each(['as it is', 'with its hash'])('takes it %s and records the hash', async (way) => {
		const found = await runSetup({ from, env, ...(way === 'as it is' ? { allowUnpinned: true } : { sha256: hash.toUpperCase() }) });
		expect(found.version).toBe('2.13.0');
		expect(readRecord(place)).toMatchObject({ archive: hash, source: from });
		expect(readdirSync(found.lib).sort()).toEqual([library('c10'), library('torch_cpu')].sort());
	});
	it('keeps nothing of one whose hash is another', async () => {
		await expect(runSetup({ from, env, sha256: '0'.repeat(64) })).rejects.toMatchObject({ code: 'HASH_MISMATCH' });
		expect(existsSync(place)).toBe(false);
		expect(left()).toEqual([]);
	});
	it("holds a wheel's name to its pin", async () => {
		const named = join(folder, 'torch-1.11.0-cp310-cp310-manylinux1_x86_64.whl');
		renameSync(from, named);
		await expect(runSetup({ from: named, env, allowUnpinned: true })).rejects.toMatchObject({ code: 'HASH_MISMATCH' });
	});
	it('says that a file is no archive, and that one was cut off', async () => {
		for (const bytes of [Buffer.from('not a zip'), archive.subarray(0, -30)]) {
			writeFileSync(from, bytes);
			await expect(runSetup({ from, env, allowUnpinned: true })).rejects.toMatchObject({ code: 'LIBTORCH_BAD_PATH' });
		}
	});
	it('never writes to a path that climbs', async () => {
		writeFileSync(from, zipOf({ ...members, 'libtorch/include/../../../evil.h': 'evil' }));
		await expect(runSetup({ from, env, allowUnpinned: true })).rejects.toMatchObject({ code: 'LIBTORCH_BAD_PATH' });
		expect(existsSync(join(folder, 'evil.h'))).toBe(false);
		expect(keptMember('torch/include/../../../evil.h')).toBeUndefined();
	});
	it('notices later that a byte changed', async () => {
		const { lib } = await runSetup({ from, env, allowUnpinned: true });
		const record = readRecord(place);
		if (!record) throw new Error('no record');
		expect(await changedLibraries(place, record)).toEqual([]);
		writeFileSync(join(lib, library('c10')), 'C10');
		expect(await changedLibraries(place, record)).toEqual([join(lib, library('c10'))]);
	});
});

describe('what is fetched is named in full', () => {
	it.each([
		['linux', 'x64'],
		['linux', 'arm64'],
		['darwin', 'x64'],
		['darwin', 'arm64'],
		['win32', 'x64'],
	])('for %s %s: file, hash, tags that pip turns into that file, libraries that are kept', (platform, arch) => {
		const wheel = wheelFor(platform, arch);
		if (!wheel) throw new Error('no wheel');
		expect(wheel.file).toBe(`torch-1.11.0-cp310-${wheel.abi}-${wheel.platform}.whl`);
		expect(pipCommand(wheel)).toContain(`--abi ${wheel.abi} --platform ${wheel.platform}`);
		for (const hash of [wheel.sha256, ...Object.values(wheel.libraries)]) expect(hash).toMatch(/^[0-9a-f]{64}$/);
		for (const name of Object.keys(wheel.libraries)) expect(keptMember(`torch/lib/${name}`)).toBe(`lib/${name}`);
	});
	it('and for a machine without a network in the words that fetch and install it', () => {
		const { file, fetch, install } = fetchInstructions();
		expect(fetch).toMatch(/-m pip download torch==1\.11\.0 .*--dest \.$/);
		expect(install).toBe(`npx distiltune setup --from ${file}`);
	});
});

describe('a lock', () => {
	it('takes over the lock of a process that is gone, and leaves nothing', async () => {
		writeFileSync(join(folder, 'lock-2147483646-dead'), '');
		expect(await withLock(join(folder, 'lock'), async () => 'ran')).toBe('ran');
		expect(readdirSync(folder)).toEqual([]);
	});
	it('takes over the lock whose process number belongs to another by now', async () => {
		const file = join(folder, `lock-${process.pid}-stale`);
		writeFileSync(file, '');
		const { utimesSync } = await import('node:fs');
		utimesSync(file, new Date(0), new Date(0));
		expect(await withLock(join(folder, 'lock'), async () => 'ran')).toBe('ran');
	});
	it('lets one of three processes in at a time, from a dead holder on', async () => {
		const log = join(folder, 'log');
		writeFileSync(join(folder, 'lock-2147483646-dead'), '');
		const program = `
			const { withLock } = await import(${JSON.stringify(pathToFileURL(join(root, 'dist', 'runtime', 'cache.js')).href)});
			const { appendFileSync } = await import('node:fs');
			for (let i = 0; i < 5; i++) await withLock(${JSON.stringify(join(folder, 'lock'))}, async () => {
				appendFileSync(${JSON.stringify(log)}, 'in ');
				await new Promise((resolve) => setTimeout(resolve, 5));
				appendFileSync(${JSON.stringify(log)}, 'out ');
			});`;
		const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
		await Promise.all([run(), run(), run()]);
		expect(readFileSync(log, 'utf8')).toBe('in out '.repeat(15));
	});
});
