import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { requireWritable, writeFolderAtomically } from '../lib/model/write-folder.js';

let folder: string;
beforeEach(async () => {
	folder = await realpath(await mkdtemp(join(tmpdir(), 'distiltune-')));
});
afterEach(() => rm(folder, { recursive: true }));

/** A folder with a file in it. */
async function existing(name: string): Promise<string> {
	const made = join(folder, name);
	await mkdir(made);
	await writeFile(join(made, 'config.json'), '{}');
	return made;
}

test('a new folder appears whole', async () => {
	const target = join(folder, 'deep', 'out');
	await writeFolderAtomically(target, async (temporary) => {
		expect(await readdir(join(folder, 'deep'))).toEqual([expect.stringMatching(/^out\.tmp-\d+-[0-9a-f]{8}$/)]);
		await writeFile(join(temporary, 'config.json'), 'new');
		await writeFile(join(temporary, 'model.safetensors'), 'weights');
	});
	expect((await readdir(target)).sort()).toEqual(['config.json', 'model.safetensors']);
	expect(await readdir(join(folder, 'deep'))).toEqual(['out']);
});

test('files of an existing folder are replaced and its others stay', async () => {
	const target = await existing('out');
	await mkdir(join(target, 'checkpoint-1'));
	await writeFile(join(target, 'run.json'), 'kept');
	await writeFolderAtomically(target, (temporary) => writeFile(join(temporary, 'config.json'), 'new'));
	expect((await readdir(target)).sort()).toEqual(['checkpoint-1', 'config.json', 'run.json']);
	expect(await readFile(join(target, 'config.json'), 'utf8')).toBe('new');
	expect(await readdir(folder)).toEqual(['out']);
});

test('when writing fails nothing is left and what was there is untouched', async () => {
	const target = await existing('out');
	const failing = writeFolderAtomically(target, async (temporary) => {
		await writeFile(join(temporary, 'config.json'), 'half');
		throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
	});
	await expect(failing).rejects.toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining(target) });
	expect(await readdir(folder)).toEqual(['out']);
	expect(await readFile(join(target, 'config.json'), 'utf8')).toBe('{}');
});

// Node's own recursive mkdir never returns from there.
test.runIf(process.platform === 'linux')('a place where no folder can be made is named', async () => {
	await expect(writeFolderAtomically('/proc/none/out', async () => undefined)).rejects.toMatchObject({ code: 'OUTPUT_NOT_WRITABLE' });
});

test('a place that cannot be written is named', async () => {
	await writeFile(join(folder, 'file'), '');
	await expect(writeFolderAtomically(join(folder, 'file', 'out'), async () => undefined)).rejects.toMatchObject({
		code: 'OUTPUT_NOT_WRITABLE',
		message: expect.stringContaining(join(folder, 'file', 'out')),
		hint: expect.stringContaining('--output-dir'),
	});
});

test('an error that is not about files comes through as it is', async () => {
	const error = new TypeError('a bug');
	await expect(writeFolderAtomically(join(folder, 'out'), () => Promise.reject(error))).rejects.toBe(error);
});

test('a place is tried without leaving anything there', async () => {
	const target = join(folder, 'tried');
	await requireWritable(target);
	expect(existsSync(target)).toBe(false);
	await mkdir(target);
	await requireWritable(target);
	expect(await readdir(target)).toEqual([]);
	await writeFile(join(folder, 'file'), '');
	await expect(requireWritable(join(folder, 'file'))).rejects.toMatchObject({ code: 'OUTPUT_NOT_WRITABLE' });
	await expect(requireWritable(join(folder, 'file', 'out'))).rejects.toMatchObject({ code: 'OUTPUT_NOT_WRITABLE' });
});
