# Installs the Debian packages of a section of scripts/packages.txt that are not there yet, saying which before it does.

need_packages() {
  local section=$1 missing=() name
  if ! command -v dpkg-query >/dev/null; then
    echo "not a Debian machine: the packages of [$section] in scripts/packages.txt are taken to be there"
    return 0
  fi
  # A second word is a command that will do as well: where it is there, however it came, nothing is installed.
  while read -r name command; do
    [ -n "$command" ] && command -v "$command" >/dev/null && continue
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || missing+=("$name")
  done < <(awk -v s="[$section]" '/^\[/ {on = $0 == s} on && /^[a-z]/ {print $1, $2}' scripts/packages.txt)
  [ ${#missing[@]} -eq 0 ] && return 0
  local sudo=''
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  echo "cần cài các gói Debian / these Debian packages are needed and will be installed: ${missing[*]}"
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
