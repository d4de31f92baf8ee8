import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { installFolder } from '../lib/runtime/installed.js';
import { pipDownload } from '../lib/runtime/pip.js';
import { runSetup } from '../lib/runtime/setup.js';
import { type Wheel, wheelFor } from '../lib/runtime/wheels.js';

// A python3 of our own stands on PATH: what pip said in each case was copied from pip 23.2.

const wheel = wheelFor('linux', 'x64') as Wheel;
let folder = '';
let target = '';
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune pip '));
	target = join(folder, 'target');
	mkdirSync(target);
	vi.stubEnv('PATH', `${folder}:/bin:/usr/bin`);
});
afterEach(() => {
	vi.unstubAllEnvs();
	rmSync(folder, { recursive: true, force: true });
});

function python(script: string): void {
	writeFileSync(join(folder, 'python3'), `#!/bin/sh\n${script}\n`);
	chmodSync(join(folder, 'python3'), 0o755);
}
const fails = (words: string) => python(`cat >&2 <<'END'\n${words}\nEND\nexit 1`);
const download = () => pipDownload(wheel, target, () => {});

describe.skipIf(process.platform === 'win32')('the wheel through pip', () => {
	it('comes by name and tags, by way of temporary files in the same folder', async () => {
		python(`echo "$@" > "${folder}/asked"; echo "$TMPDIR" >> "${folder}/asked"; touch "${target}/${wheel.file}"`);
		expect(await download()).toBe(join(target, wheel.file));
		const [asked, temporary] = readFileSync(join(folder, 'asked'), 'utf8').split('\n');
		expect(asked).toContain('-m pip download torch==1.11.0 --no-deps');
		expect(asked).toContain(`--abi cp310 --platform manylinux1_x86_64 --dest ${target}`);
		expect(temporary).toBe(target);
	});
	it.each([
		['/usr/bin/python3: No module named pip', 'DOWNLOAD_FAILED', 'python3 has no pip', 'Install pip'],
		[
			`WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/torch/
ERROR: Could not find a version that satisfies the requirement torch==1.11.0 (from versions: none)
ERROR: No matching distribution found for torch==1.11.0`,
			'DOWNLOAD_FAILED',
			'no package index was reached (NewConnectionError)',
			'the network',
		],
		['ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device', 'DISK_FULL', 'the disk filled up', 'Free some space'],
		['ERROR: No matching distribution found for torch==1.11.0', 'DOWNLOAD_FAILED', 'No matching distribution', '--print-urls'],
	])('%.40s ... is one sentence with what mends it', async (words, code, sentence, hint) => {
		fails(words);
		await expect(download()).rejects.toMatchObject({ code, message: expect.stringContaining(sentence), hint: expect.stringContaining(hint) });
	});
	it('no Python', async () => {
		vi.stubEnv('PATH', folder);
		await expect(download()).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED', message: expect.stringContaining('python3 is not on this machine') });
	});
	it.skipIf(!wheelFor())('a wheel with other bytes than the pinned ones is not kept', async () => {
		const env = { DISTILTUNE_CACHE_DIR: join(folder, 'cache') };
		python(`while [ "$1" != --dest ]; do shift; done; echo other > "$2/${wheelFor()?.file}"`);
		await expect(runSetup({ env })).rejects.toMatchObject({ code: 'HASH_MISMATCH' });
		expect(existsSync(installFolder(env))).toBe(false);
		expect(readdirSync(dirname(installFolder(env)))).toEqual([]);
	});
});
