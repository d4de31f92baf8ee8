/** The wheel through the machine's own pip, so that every mirror, proxy and certificate it is set up for just works. */
import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RuntimeUnavailableError } from '../errors.js';
import { torchVersion, type Wheel } from './wheels.js';

const python = process.platform === 'win32' ? 'python' : 'python3';

/** Python's arguments that fetch `wheel` into `folder`. */
export function pipArguments(wheel: Wheel, folder: string): string[] {
	return [
		...['-m', 'pip', 'download', `torch==${torchVersion}`, '--no-deps', '--no-cache-dir', '--only-binary=:all:'],
		...['--python-version', '3.10', '--implementation', 'cp', '--abi', wheel.abi, '--platform', wheel.platform],
		...['--dest', folder],
	];
}

/** The same as a line for a shell, on whatever machine has a network. */
export function pipCommand(wheel: Wheel): string {
	return [python, ...pipArguments(wheel, '.')].join(' ');
}

/** Bytes of the files under `folder`; undefined where pip removes one of its folders at that moment. */
function bytesUnder(folder: string): number | undefined {
	try {
		const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
		return names.reduce((bytes, name) => bytes + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0);
	} catch {
		return undefined;
	}
}

/**
 * Fetches `wheel` into `folder`, which also holds pip's temporary files; returns its path. Throws DOWNLOAD_FAILED, DISK_FULL.
 * `onBytes` hears now and then how much has come.
 */
export function pipDownload(wheel: Wheel, folder: string, onBytes: (bytes: number) => void): Promise<string> {
	return new Promise((resolve, reject) => {
		const child = spawn(python, pipArguments(wheel, folder), {
			stdio: ['ignore', 'ignore', 'pipe'],
			env: { ...process.env, TMPDIR: folder, TEMP: folder, TMP: folder },
		});
		const watch = setInterval(() => {
			const bytes = bytesUnder(folder);
			if (bytes !== undefined) onBytes(Math.min(bytes, wheel.bytes));
		}, 5_000);
		let said = '';
		child.stderr.on('data', (piece: Buffer) => {
			said = (said + piece).slice(-4000);
		});
		const refuse = (why: string, mend: string) => {
			clearInterval(watch);
			const full = /No space left|not enough space/.test(said);
			const hint = `${full ? 'Free some space' : mend}, or bring the wheel from elsewhere (npx distiltune setup --print-urls)`;
			reject(
				full
					? new RuntimeUnavailableError('DISK_FULL', `Expected room for ${wheel.file} in ${folder}, but the disk filled up`, { hint })
					: new RuntimeUnavailableError('DOWNLOAD_FAILED', `Expected pip to fetch torch ${torchVersion}, but ${why}`, { hint }),
			);
		};
		const installPip = `Install pip (${process.platform === 'linux' ? 'apt-get install python3-pip' : `${python} -m ensurepip`})`;
		child.on('error', () => refuse(`${python} is not on this machine`, installPip));
		child.on('close', (code) => {
			clearInterval(watch);
			const file = join(folder, wheel.file);
			if (code === 0 && statSync(file, { throwIfNoEntry: false })) return resolve(file);
			if (/No module named pip/.test(said)) return refuse(`${python} has no pip`, installPip);
			const broken = /connection broken by '(\w+)/.exec(said)?.[1];
			const last = said
				.split('\n')
				.filter((line) => line.startsWith('ERROR'))
				.at(-1);
			const why = broken ? `no package index was reached (${broken})` : `it ended with ${code}: ${last ?? 'it left no wheel'}`;
			refuse(why, 'Look at the network and at pip config list');
		});
	});
}
