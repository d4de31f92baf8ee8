import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The Python of a private environment holding bench/peers/`file`; made by pip on first use, under the cache. */
export function peerPython(file = 'requirements.txt') {
	const requirements = join(dirname(fileURLToPath(import.meta.url)), file);
	const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
	const cache = process.env.DISTILTUNE_CACHE_DIR ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'distiltune');
	const folder = join(cache, 'peers', hash);
	const python = join(folder, ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']));
	if (existsSync(join(folder, 'complete'))) return python;

	console.error(`Making the peers' Python environment in ${folder} (several GB, once)`);
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(dirname(folder), { recursive: true });
	run('python3', ['-m', 'venv', folder]); // a venv cannot be renamed afterwards: its scripts hold its path
	run(python, ['-m', 'pip', 'install', '--quiet', '--requirement', requirements]);
	mkdirSync(join(folder, 'complete.tmp'));
	renameSync(join(folder, 'complete.tmp'), join(folder, 'complete'));
	return python;
}

function run(command, args) {
	const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
	if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? `exit ${status}`}`);
}
